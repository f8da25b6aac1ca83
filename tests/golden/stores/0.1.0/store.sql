BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('dc11669786a5');
CREATE TABLE "assessments" (
	assessment_id VARCHAR(50) NOT NULL, 
	trace_id VARCHAR(50) NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	assessment_type VARCHAR(20) NOT NULL, 
	value TEXT NOT NULL, 
	error TEXT, 
	created_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	source_type VARCHAR(50) NOT NULL, 
	source_id VARCHAR(250), 
	run_id VARCHAR(32), 
	span_id VARCHAR(50), 
	rationale TEXT, 
	overrides VARCHAR(50), 
	valid BOOLEAN NOT NULL, 
	assessment_metadata TEXT, 
	experiment_id INTEGER, 
	trace_timestamp_ms BIGINT, 
	aggregate_value FLOAT, 
	is_numeric_value BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT assessments_pk PRIMARY KEY (assessment_id), 
	CONSTRAINT fk_assessments_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE budget_policies (
	budget_policy_id VARCHAR(36) NOT NULL, 
	budget_unit VARCHAR(32) NOT NULL, 
	budget_amount FLOAT NOT NULL, 
	duration_unit VARCHAR(32) NOT NULL, 
	duration_value INTEGER NOT NULL, 
	target_scope VARCHAR(32) NOT NULL, 
	budget_action VARCHAR(32) NOT NULL, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, target_value VARCHAR(255), 
	CONSTRAINT budget_policies_pk PRIMARY KEY (budget_policy_id)
);
CREATE TABLE "datasets" (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
INSERT INTO "datasets" VALUES('d07d021690ff49dfa4113763b20f4f8e',0,'source_train','bca8a4038625a446b6e85d93be1b111f','local','{"uri": "file:///data/w#synthia/train"}',NULL,'{"images": 4}');
INSERT INTO "datasets" VALUES('9284fbfab88648b69a1721abc46a35ff',0,'target_test','63384ff9b319cd46c0f19dc788a9c5bf','local','{"uri": "file:///data/w#cityscapes/test"}',NULL,'{"images": 4}');
INSERT INTO "datasets" VALUES('b67b9f052d2c4d2f99006fcf0fb7d304',0,'source_val','5c1f27783bb15a7b7f033535d497bcf4','local','{"uri": "file:///data/w#synthia/val"}',NULL,'{"images": 4}');
INSERT INTO "datasets" VALUES('e9b11228a05a4ea789d6b46c70063f6a',0,'target_train','9af080694d7241f6a5f82e789ca2160b','local','{"uri": "file:///data/w#cityscapes/train"}',NULL,'{"images": 4}');
INSERT INTO "datasets" VALUES('fad07678cdcc4f2186d5815bb1f1df93',0,'target_train','a97c30ef1236a58f9ee5880f28ea70fb','local','{"uri": "file:///data/w#cityscapes/train"}',NULL,'{"images": 4}');
CREATE TABLE endpoint_bindings (
	endpoint_id VARCHAR(36) NOT NULL, 
	resource_type VARCHAR(50) NOT NULL, 
	resource_id VARCHAR(255) NOT NULL, 
	created_at BIGINT NOT NULL, 
	created_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), display_name VARCHAR(255), 
	CONSTRAINT endpoint_bindings_pk PRIMARY KEY (endpoint_id, resource_type, resource_id), 
	CONSTRAINT fk_endpoint_bindings_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE
);
CREATE TABLE endpoint_model_mappings (
	mapping_id VARCHAR(36) NOT NULL, 
	endpoint_id VARCHAR(36) NOT NULL, 
	model_definition_id VARCHAR(36) NOT NULL, 
	weight FLOAT NOT NULL, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, linkage_type VARCHAR(64) DEFAULT 'PRIMARY' NOT NULL, fallback_order INTEGER, 
	CONSTRAINT endpoint_model_mappings_pk PRIMARY KEY (mapping_id), 
	CONSTRAINT fk_endpoint_model_mappings_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE, 
	CONSTRAINT fk_endpoint_model_mappings_model_definition_id FOREIGN KEY(model_definition_id) REFERENCES model_definitions (model_definition_id)
);
CREATE TABLE endpoint_tags (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	endpoint_id VARCHAR(36) NOT NULL, 
	CONSTRAINT endpoint_tag_pk PRIMARY KEY ("key", endpoint_id), 
	CONSTRAINT fk_endpoint_tags_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE
);
CREATE TABLE "endpoints" (
	endpoint_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255), 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	routing_strategy VARCHAR(64), 
	fallback_config_json TEXT, 
	experiment_id INTEGER, 
	usage_tracking BOOLEAN DEFAULT '0' NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT endpoints_pk PRIMARY KEY (endpoint_id), 
	CONSTRAINT fk_endpoints_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE SET NULL, 
	CONSTRAINT uq_endpoints_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE entity_associations (
	association_id VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, 
	created_time BIGINT, 
	CONSTRAINT entity_associations_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
CREATE TABLE "evaluation_dataset_records" (
	dataset_record_id VARCHAR(36) NOT NULL, 
	dataset_id VARCHAR(36) NOT NULL, 
	inputs JSON NOT NULL, 
	expectations JSON, 
	tags JSON, 
	source JSON, 
	source_id VARCHAR(36), 
	source_type VARCHAR(255), 
	created_time BIGINT, 
	last_update_time BIGINT, 
	created_by VARCHAR(255), 
	last_updated_by VARCHAR(255), 
	input_hash VARCHAR(64) NOT NULL, outputs JSON, 
	CONSTRAINT evaluation_dataset_records_pk PRIMARY KEY (dataset_record_id), 
	CONSTRAINT fk_evaluation_dataset_records_dataset_id FOREIGN KEY(dataset_id) REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE, 
	CONSTRAINT unique_dataset_input UNIQUE (dataset_id, input_hash)
);
CREATE TABLE evaluation_dataset_tags (
	dataset_id VARCHAR(36) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	value VARCHAR(5000), 
	CONSTRAINT evaluation_dataset_tags_pk PRIMARY KEY (dataset_id, "key"), 
	CONSTRAINT fk_evaluation_dataset_tags_dataset_id FOREIGN KEY(dataset_id) REFERENCES evaluation_datasets (dataset_id) ON DELETE CASCADE
);
CREATE TABLE "evaluation_datasets" (
	dataset_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	schema TEXT, 
	profile TEXT, 
	digest VARCHAR(64), 
	created_time BIGINT, 
	last_update_time BIGINT, 
	created_by VARCHAR(255), 
	last_updated_by VARCHAR(255), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT evaluation_datasets_pk PRIMARY KEY (dataset_id)
);
CREATE TABLE "experiment_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	experiment_id INTEGER NOT NULL, 
	CONSTRAINT experiment_tag_pk PRIMARY KEY ("key", experiment_id), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
INSERT INTO "experiment_tags" VALUES('mlflow.sharedViewState.syn2city-miniature-target_test-9766a41c','{"searchFilter": "tags.`stage` = ''chain'' and tags.`scenario` = ''syn2city'' and tags.`udamlf.complete` = ''true'' and tags.`profile` = ''miniature'' and tags.`data` = ''miniature'' and tags.`split` = ''target_test'' and tags.`udamlf.data` = ''9766a41c533deafb5b563278d770d1bcaa8f15e20fbdb5da9628b7d353ad8015'' and attributes.status = ''FINISHED''", "orderByKey": "metrics.`miou`", "orderByAsc": false, "startTime": "ALL", "lifecycleFilter": "Active", "datasetsFilter": [], "modelVersionFilter": "All Runs", "selectedColumns": ["attributes.`Run Name`", "tags.`method`", "tags.`recipe`", "tags.`seed`", "metrics.`miou`", "metrics.`gain/source_only`", "metrics.`gain/control`", "metrics.`iou/road`", "metrics.`iou/sidewalk`", "metrics.`iou/building`", "metrics.`iou/wall`", "metrics.`iou/fence`", "metrics.`iou/pole`", "metrics.`iou/traffic_light`", "metrics.`iou/traffic_sign`", "metrics.`iou/vegetation`", "metrics.`iou/sky`", "metrics.`iou/person`", "metrics.`iou/rider`", "metrics.`iou/car`", "metrics.`iou/bus`", "metrics.`iou/motorcycle`", "metrics.`iou/bicycle`"], "columnOrder": ["attributes.`Run Name`", "tags.`method`", "tags.`recipe`", "tags.`seed`", "metrics.`miou`", "metrics.`gain/source_only`", "metrics.`gain/control`", "metrics.`iou/road`", "metrics.`iou/sidewalk`", "metrics.`iou/building`", "metrics.`iou/wall`", "metrics.`iou/fence`", "metrics.`iou/pole`", "metrics.`iou/traffic_light`", "metrics.`iou/traffic_sign`", "metrics.`iou/vegetation`", "metrics.`iou/sky`", "metrics.`iou/person`", "metrics.`iou/rider`", "metrics.`iou/car`", "metrics.`iou/bus`", "metrics.`iou/motorcycle`", "metrics.`iou/bicycle`"], "columnWidths": {"attributes.`Run Name`": 400, "tags.`method`": 120, "tags.`recipe`": 85, "tags.`seed`": 55, "metrics.`miou`": 85, "metrics.`gain/source_only`": 144, "metrics.`gain/control`": 108, "metrics.`iou/road`": 85, "metrics.`iou/sidewalk`": 108, "metrics.`iou/building`": 108, "metrics.`iou/wall`": 85, "metrics.`iou/fence`": 85, "metrics.`iou/pole`": 85, "metrics.`iou/traffic_light`": 153, "metrics.`iou/traffic_sign`": 144, "metrics.`iou/vegetation`": 126, "metrics.`iou/sky`": 85, "metrics.`iou/person`": 90, "metrics.`iou/rider`": 85, "metrics.`iou/car`": 85, "metrics.`iou/bus`": 85, "metrics.`iou/motorcycle`": 126, "metrics.`iou/bicycle`": 99}, "runsHiddenMode": "FIRST_20_RUNS", "compareRunSections": [{"uuid": "first", "name": "mIoU over rounds", "display": true, "isReordered": true, "columns": 1}], "compareRunCharts": [{"type": "LINE", "uuid": "miou", "metricKey": "miou", "metricSectionId": "first", "lineSmoothness": 0}], "isAccordionReordered": true}',0);
CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
INSERT INTO "experiments" VALUES(0,'Default','/store/mlruns/0','active',1795914915131,1795914915131,'default');
CREATE TABLE guardrail_configs (
	endpoint_id VARCHAR(36) NOT NULL, 
	guardrail_id VARCHAR(36) NOT NULL, 
	execution_order INTEGER, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT guardrail_configs_pk PRIMARY KEY (endpoint_id, guardrail_id), 
	CONSTRAINT fk_guardrail_configs_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE CASCADE, 
	CONSTRAINT fk_guardrail_configs_guardrail_id FOREIGN KEY(guardrail_id) REFERENCES guardrails (guardrail_id) ON DELETE CASCADE
);
CREATE TABLE guardrails (
	guardrail_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	scorer_id VARCHAR(36) NOT NULL, 
	scorer_version INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	action VARCHAR(32) NOT NULL, 
	action_endpoint_id VARCHAR(36), 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT guardrails_pk PRIMARY KEY (guardrail_id), 
	CONSTRAINT fk_guardrails_scorer_version FOREIGN KEY(scorer_id, scorer_version) REFERENCES scorer_versions (scorer_id, scorer_version), 
	CONSTRAINT fk_guardrails_action_endpoint_id FOREIGN KEY(action_endpoint_id) REFERENCES endpoints (endpoint_id) ON DELETE SET NULL
);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
INSERT INTO "input_tags" VALUES('53bab96a92614b2c9d63f417ac00d2e7','mlflow.data.context','source');
INSERT INTO "input_tags" VALUES('f7862c603c7141d0b00c30f73ef01a32','mlflow.data.context','evaluation');
INSERT INTO "input_tags" VALUES('27896812bb944b57805e8ae3d2b63b53','mlflow.data.context','evaluation');
INSERT INTO "input_tags" VALUES('62846097d805416e8d307a56d6e6955c','mlflow.data.context','target');
INSERT INTO "input_tags" VALUES('a9b13c85f0df42428acecc4e3728e96a','mlflow.data.context','source');
INSERT INTO "input_tags" VALUES('529b5c56a92546b2a2107c103fe74501','mlflow.data.context','evaluation');
INSERT INTO "input_tags" VALUES('1726d650c3e445e2a620ddcc30b0a725','mlflow.data.context','validators');
INSERT INTO "input_tags" VALUES('ac570d0ada8a42ff8bfa28d14c8ed50b','mlflow.data.context','evaluation');
INSERT INTO "input_tags" VALUES('8eff71c537c24d69910f39613c65ff35','mlflow.data.context','target');
INSERT INTO "input_tags" VALUES('65299c37550c4dd38766cef94ee83963','mlflow.data.context','source');
INSERT INTO "input_tags" VALUES('1bb0cab8d8b74fd18005c3b4f2942096','mlflow.data.context','target');
INSERT INTO "input_tags" VALUES('354154ab7ff143abb5ec35103b2ae43a','mlflow.data.context','evaluation');
INSERT INTO "input_tags" VALUES('42b12f560d694410957d356158b234d5','mlflow.data.context','validators');
INSERT INTO "input_tags" VALUES('4df13c89875e4e0081593c22083e40f6','mlflow.data.context','evaluation');
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
INSERT INTO "inputs" VALUES('53bab96a92614b2c9d63f417ac00d2e7','DATASET','d07d021690ff49dfa4113763b20f4f8e','RUN','662eee684dfe43ecbc40e64e0af4f107',0);
INSERT INTO "inputs" VALUES('f7862c603c7141d0b00c30f73ef01a32','DATASET','9284fbfab88648b69a1721abc46a35ff','RUN','662eee684dfe43ecbc40e64e0af4f107',0);
INSERT INTO "inputs" VALUES('27896812bb944b57805e8ae3d2b63b53','DATASET','b67b9f052d2c4d2f99006fcf0fb7d304','RUN','662eee684dfe43ecbc40e64e0af4f107',0);
INSERT INTO "inputs" VALUES('62846097d805416e8d307a56d6e6955c','DATASET','e9b11228a05a4ea789d6b46c70063f6a','RUN','662eee684dfe43ecbc40e64e0af4f107',0);
INSERT INTO "inputs" VALUES('a9b13c85f0df42428acecc4e3728e96a','DATASET','d07d021690ff49dfa4113763b20f4f8e','RUN','5b88f505a3cf4984a353b3729f4cda6a',0);
INSERT INTO "inputs" VALUES('6493955558314f438d6a5afaae2c4e5a','RUN_OUTPUT','5b88f505a3cf4984a353b3729f4cda6a','MODEL_OUTPUT','m-270818c6399c445890ea836ebd102349',0);
INSERT INTO "inputs" VALUES('529b5c56a92546b2a2107c103fe74501','DATASET','9284fbfab88648b69a1721abc46a35ff','RUN','2e38cb8e9377450abf1ce94bb3f8d524',0);
INSERT INTO "inputs" VALUES('1726d650c3e445e2a620ddcc30b0a725','DATASET','fad07678cdcc4f2186d5815bb1f1df93','RUN','2e38cb8e9377450abf1ce94bb3f8d524',0);
INSERT INTO "inputs" VALUES('ac570d0ada8a42ff8bfa28d14c8ed50b','DATASET','b67b9f052d2c4d2f99006fcf0fb7d304','RUN','2e38cb8e9377450abf1ce94bb3f8d524',0);
INSERT INTO "inputs" VALUES('8eff71c537c24d69910f39613c65ff35','DATASET','fad07678cdcc4f2186d5815bb1f1df93','RUN','611f5a1696a34d8185f93ac2fc17519b',0);
INSERT INTO "inputs" VALUES('65299c37550c4dd38766cef94ee83963','DATASET','d07d021690ff49dfa4113763b20f4f8e','RUN','1bd9b42ea1964402a47791514c6d7ae1',0);
INSERT INTO "inputs" VALUES('1bb0cab8d8b74fd18005c3b4f2942096','DATASET','fad07678cdcc4f2186d5815bb1f1df93','RUN','1bd9b42ea1964402a47791514c6d7ae1',0);
INSERT INTO "inputs" VALUES('8e772b47091142fa8c54b94d3de6bd51','RUN_OUTPUT','1bd9b42ea1964402a47791514c6d7ae1','MODEL_OUTPUT','m-1088c39857904534949b7cd5311c40a5',1);
INSERT INTO "inputs" VALUES('354154ab7ff143abb5ec35103b2ae43a','DATASET','9284fbfab88648b69a1721abc46a35ff','RUN','a77daea3c58d4184aded7217d0c2f614',0);
INSERT INTO "inputs" VALUES('42b12f560d694410957d356158b234d5','DATASET','e9b11228a05a4ea789d6b46c70063f6a','RUN','a77daea3c58d4184aded7217d0c2f614',0);
INSERT INTO "inputs" VALUES('4df13c89875e4e0081593c22083e40f6','DATASET','b67b9f052d2c4d2f99006fcf0fb7d304','RUN','a77daea3c58d4184aded7217d0c2f614',0);
CREATE TABLE issues (
	issue_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	description TEXT NOT NULL, 
	status VARCHAR(50) NOT NULL, 
	severity VARCHAR(50), 
	root_causes TEXT, 
	source_run_id VARCHAR(32), 
	categories TEXT, 
	created_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	created_by VARCHAR(255), 
	CONSTRAINT issues_pk PRIMARY KEY (issue_id), 
	CONSTRAINT fk_issues_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE, 
	CONSTRAINT fk_issues_source_run_id FOREIGN KEY(source_run_id) REFERENCES runs (run_uuid) ON DELETE SET NULL
);
CREATE TABLE job_locks (
	lock_key VARCHAR(255) NOT NULL, 
	job_id VARCHAR(36) NOT NULL, 
	acquired_at BIGINT NOT NULL, 
	CONSTRAINT job_locks_pk PRIMARY KEY (lock_key), 
	CONSTRAINT fk_job_locks_job_id FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE "jobs" (
	id VARCHAR(36) NOT NULL, 
	creation_time BIGINT NOT NULL, 
	job_name VARCHAR(500) NOT NULL, 
	params TEXT NOT NULL, 
	timeout FLOAT, 
	status INTEGER NOT NULL, 
	result TEXT, 
	retry_count INTEGER NOT NULL, 
	last_update_time BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, status_details JSON, creator VARCHAR(255), executor_backend VARCHAR(255), lease_expires_at BIGINT, status_message TEXT, progress JSON, progress_updated_at BIGINT, token_hash VARCHAR(64), scoped_permissions JSON, next_attempt_at BIGINT, 
	CONSTRAINT jobs_pk PRIMARY KEY (id)
);
CREATE TABLE label_schemas (
	schema_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	type VARCHAR(16) NOT NULL, 
	instruction TEXT, 
	enable_comment BOOLEAN DEFAULT '0' NOT NULL, 
	input_type VARCHAR(32) NOT NULL, 
	input_config TEXT NOT NULL, 
	created_by VARCHAR(255), 
	created_time BIGINT NOT NULL, 
	last_update_time BIGINT NOT NULL, 
	is_default BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT label_schemas_pk PRIMARY KEY (schema_id), 
	CONSTRAINT fk_label_schemas_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE, 
	CONSTRAINT uq_label_schemas_exp_name UNIQUE (experiment_id, name)
);
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "latest_metrics" VALUES('train/source_ce',2.87811803817749023437e+00,1795914944863,2,0,'5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "latest_metrics" VALUES('train/lr',6.66686000000000751966e-05,1795914944863,2,0,'5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "latest_metrics" VALUES('train/images_per_s',4.82537616880967945576e+00,1795914944863,2,0,'5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "latest_metrics" VALUES('miou/16',4.54672564866912587433e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('miou/13',5.91074334326986594589e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/road',2.440089038492860496e+01,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/sidewalk',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/building',2.38015138772077383677e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/wall',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/fence',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/pole',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/traffic_light',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/traffic_sign',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/vegetation',9.6543228885980454379e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/sky',3.45449083808951618035e-01,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/person',2.62244897959183642655e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/car',1.9704170708050437355e+01,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/bicycle',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('validator/entropy',9.98221917116227501747e+01,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('validator/snd',4.84300578967879147285e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('validator/agreement',69.8883056640625,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('validator/balance',44.6057858689393,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/miou/16',2.19559512703459747129e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/miou/13',2.70227092558104287078e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/road',2.0258816919962416847e+01,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/sidewalk',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/building',1.49855520462334523834e+00,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/wall',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/fence',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/pole',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/traffic_light',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/traffic_sign',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/vegetation',1.33447075369469487777e+01,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/sky',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/person',2.74423710208562023071e-02,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/rider',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/car',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/bus',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/motorcycle',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('source/iou/bicycle',0.0,1795914965397,0,0,'2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "latest_metrics" VALUES('iou/bicycle',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/building',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/car',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/fence',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/person',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/pole',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/road',31.7599,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/sidewalk',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/sky',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/traffic_light',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/traffic_sign',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/vegetation',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/wall',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('miou/13',3.176,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('miou/16',2.4431,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('source/miou/13',1.9181,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('source/miou/16',1.5585,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('validator/agreement',100.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('validator/balance',0.0,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('validator/entropy',0.1316,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('validator/snd',4.8442,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('miou',2.44,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('pl/coverage',39.9993896484375,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/road',4.26516195727084763706e+01,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/confidence/road',7.93011846034737644117e+00,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/road',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/sidewalk',0.0,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/sidewalk',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/building',0.0,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/building',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/wall',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/fence',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/pole',0.0,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/pole',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/traffic_light',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/traffic_sign',0.0,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/traffic_sign',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/vegetation',4.51576417361798405653e+01,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/confidence/vegetation',7.93209924346854222676e+00,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/vegetation',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/sky',0.0,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/sky',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/person',0.0,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/person',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/rider',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage/car',1.41206675224646982513e+00,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/confidence/car',7.60786567221988363485e+00,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/car',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/bus',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/motorcycle',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/threshold/bicycle',7.51781463623046875e-02,1795914984738,1,0,'611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "latest_metrics" VALUES('pl/coverage',39.9994,1795914986369,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('train/source_ce',1.33110761642456054687e+01,1795915000540,2,0,'1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "latest_metrics" VALUES('train/target_ce',1.49200928211212158203e+00,1795915000540,2,0,'1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "latest_metrics" VALUES('train/lr',1.65000000000000020781e-03,1795915000540,2,0,'1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "latest_metrics" VALUES('train/images_per_s',5.64315633659899074103e+00,1795915000540,2,0,'1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "latest_metrics" VALUES('miou/16',2.44307144149054700221e+00,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('miou/13',3.17599287393771145815e+00,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/road',3.17599287393771128056e+01,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/sidewalk',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/building',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/wall',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/fence',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/pole',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/traffic_light',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/traffic_sign',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/vegetation',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/sky',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/person',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/car',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/bicycle',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('validator/entropy',1.3161192164204474353e-01,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('validator/snd',4.84418708614930526579e+00,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('validator/agreement',100.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('validator/balance',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('pl/precision/road',1.57671081677704183476e+01,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('pl/precision/vegetation',1.38678223185265423465e+01,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('pl/precision/car',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('pl/precision',1.53369080689967045576e+01,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('pl/ece',7.43028188728787331029e+00,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/miou/16',1.55849456787109375e+00,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/miou/13',1.91814716045673083755e+00,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/road',24.9359130859375,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/sidewalk',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/building',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/wall',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/fence',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/pole',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/traffic_light',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/traffic_sign',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/vegetation',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/sky',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/person',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/rider',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/car',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/bus',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/motorcycle',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('source/iou/bicycle',0.0,1795915017315,1,0,'a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "latest_metrics" VALUES('iou/bus',0.0,1795915024274,1,1,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/motorcycle',0.0,1795915024274,1,1,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/rider',0.0,1795915024274,1,1,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/terrain',0.0,1795915024274,1,1,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/train',0.0,1795915024274,1,1,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('iou/truck',0.0,1795915024274,1,1,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('pl/ece',7.4303,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "latest_metrics" VALUES('pl/precision',15.3369,1795915024274,1,0,'662eee684dfe43ecbc40e64e0af4f107');
CREATE TABLE logged_model_metrics (
	model_id VARCHAR(36) NOT NULL, 
	metric_name VARCHAR(500) NOT NULL, 
	metric_timestamp_ms BIGINT NOT NULL, 
	metric_step BIGINT NOT NULL, 
	metric_value FLOAT, 
	experiment_id INTEGER NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	dataset_uuid VARCHAR(36), 
	dataset_name VARCHAR(500), 
	dataset_digest VARCHAR(36), 
	CONSTRAINT logged_model_metrics_pk PRIMARY KEY (model_id, metric_name, metric_timestamp_ms, metric_step, run_id), 
	CONSTRAINT fk_logged_model_metrics_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_metrics_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE, 
	CONSTRAINT fk_logged_model_metrics_run_id FOREIGN KEY(run_id) REFERENCES runs (run_uuid) ON DELETE CASCADE
);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','miou/16',1795914965397,0,4.54672564866912587433e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','miou/13',1795914965397,0,5.91074334326986594589e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/road',1795914965397,0,2.440089038492860496e+01,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/sidewalk',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/building',1795914965397,0,2.38015138772077383677e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/wall',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/fence',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/pole',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/traffic_light',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/traffic_sign',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/vegetation',1795914965397,0,9.6543228885980454379e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/sky',1795914965397,0,3.45449083808951618035e-01,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/person',1795914965397,0,2.62244897959183642655e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/car',1795914965397,0,1.9704170708050437355e+01,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','iou/bicycle',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','validator/entropy',1795914965397,0,9.98221917116227501747e+01,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','validator/snd',1795914965397,0,4.84300578967879147285e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','validator/agreement',1795914965397,0,69.8883056640625,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','validator/balance',1795914965397,0,44.6057858689393,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/miou/16',1795914965397,0,2.19559512703459747129e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/miou/13',1795914965397,0,2.70227092558104287078e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/road',1795914965397,0,2.0258816919962416847e+01,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/sidewalk',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/building',1795914965397,0,1.49855520462334523834e+00,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/wall',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/fence',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/pole',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/traffic_light',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/traffic_sign',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/vegetation',1795914965397,0,1.33447075369469487777e+01,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/sky',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/person',1795914965397,0,2.74423710208562023071e-02,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/rider',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/car',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/bus',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/motorcycle',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-270818c6399c445890ea836ebd102349','source/iou/bicycle',1795914965397,0,0.0,0,'2e38cb8e9377450abf1ce94bb3f8d524',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','miou/16',1795915017315,1,2.44307144149054700221e+00,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','miou/13',1795915017315,1,3.17599287393771145815e+00,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/road',1795915017315,1,3.17599287393771128056e+01,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/sidewalk',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/building',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/wall',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/fence',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/pole',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/traffic_light',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/traffic_sign',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/vegetation',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/sky',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/person',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/car',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','iou/bicycle',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','validator/entropy',1795915017315,1,1.3161192164204474353e-01,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','validator/snd',1795915017315,1,4.84418708614930526579e+00,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','validator/agreement',1795915017315,1,100.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','validator/balance',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','pl/precision/road',1795915017315,1,1.57671081677704183476e+01,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','pl/precision/vegetation',1795915017315,1,1.38678223185265423465e+01,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','pl/precision/car',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','pl/precision',1795915017315,1,1.53369080689967045576e+01,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','pl/ece',1795915017315,1,7.43028188728787331029e+00,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/miou/16',1795915017315,1,1.55849456787109375e+00,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/miou/13',1795915017315,1,1.91814716045673083755e+00,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/road',1795915017315,1,24.9359130859375,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/sidewalk',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/building',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/wall',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/fence',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/pole',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/traffic_light',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/traffic_sign',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/vegetation',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/sky',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/person',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/rider',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/car',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/bus',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/motorcycle',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
INSERT INTO "logged_model_metrics" VALUES('m-1088c39857904534949b7cd5311c40a5','source/iou/bicycle',1795915017315,1,0.0,0,'a77daea3c58d4184aded7217d0c2f614',NULL,NULL,NULL);
CREATE TABLE logged_model_params (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	param_key VARCHAR(255) NOT NULL, 
	param_value TEXT NOT NULL, 
	CONSTRAINT logged_model_params_pk PRIMARY KEY (model_id, param_key), 
	CONSTRAINT fk_logged_model_params_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_params_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
CREATE TABLE logged_model_tags (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	tag_key VARCHAR(255) NOT NULL, 
	tag_value TEXT NOT NULL, 
	CONSTRAINT logged_model_tags_pk PRIMARY KEY (model_id, tag_key), 
	CONSTRAINT fk_logged_model_tags_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_tags_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
INSERT INTO "logged_model_tags" VALUES('m-270818c6399c445890ea836ebd102349',0,'scenario','syn2city');
INSERT INTO "logged_model_tags" VALUES('m-270818c6399c445890ea836ebd102349',0,'method','st');
INSERT INTO "logged_model_tags" VALUES('m-270818c6399c445890ea836ebd102349',0,'seed','0');
INSERT INTO "logged_model_tags" VALUES('m-270818c6399c445890ea836ebd102349',0,'round','0');
INSERT INTO "logged_model_tags" VALUES('m-1088c39857904534949b7cd5311c40a5',0,'scenario','syn2city');
INSERT INTO "logged_model_tags" VALUES('m-1088c39857904534949b7cd5311c40a5',0,'method','st');
INSERT INTO "logged_model_tags" VALUES('m-1088c39857904534949b7cd5311c40a5',0,'seed','0');
INSERT INTO "logged_model_tags" VALUES('m-1088c39857904534949b7cd5311c40a5',0,'round','1');
CREATE TABLE logged_models (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	artifact_location VARCHAR(1000) NOT NULL, 
	creation_timestamp_ms BIGINT NOT NULL, 
	last_updated_timestamp_ms BIGINT NOT NULL, 
	status INTEGER NOT NULL, 
	lifecycle_stage VARCHAR(32), 
	model_type VARCHAR(500), 
	source_run_id VARCHAR(32), 
	status_message VARCHAR(1000), 
	CONSTRAINT logged_models_pk PRIMARY KEY (model_id), 
	CONSTRAINT logged_models_lifecycle_stage_check CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT fk_logged_models_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
INSERT INTO "logged_models" VALUES('m-270818c6399c445890ea836ebd102349',0,'st-r0','/store/mlruns/0/models/m-270818c6399c445890ea836ebd102349/artifacts',1795914951990,1795914953705,2,'active','segmenter','5b88f505a3cf4984a353b3729f4cda6a',NULL);
INSERT INTO "logged_models" VALUES('m-1088c39857904534949b7cd5311c40a5',0,'st-r1','/store/mlruns/0/models/m-1088c39857904534949b7cd5311c40a5/artifacts',1795915001494,1795915002024,2,'active','segmenter','1bd9b42ea1964402a47791514c6d7ae1',NULL);
CREATE TABLE mcp_access_endpoints (
	id VARCHAR(36) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	server_name VARCHAR(256) NOT NULL, 
	server_version VARCHAR(128), 
	server_alias VARCHAR(256), 
	url VARCHAR(2048) NOT NULL, 
	transport_type VARCHAR(32) DEFAULT 'streamable-http' NOT NULL, 
	created_by VARCHAR(256), 
	last_updated_by VARCHAR(256), 
	created_at BIGINT NOT NULL, 
	last_updated_at BIGINT NOT NULL, 
	CONSTRAINT mcp_access_endpoints_pk PRIMARY KEY (id), 
	CONSTRAINT mcp_access_endpoints_server_fkey FOREIGN KEY(workspace, server_name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_aliases (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	alias VARCHAR(256) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	CONSTRAINT mcp_server_aliases_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT mcp_server_aliases_server_fkey FOREIGN KEY(workspace, name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_tags (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	CONSTRAINT mcp_server_tags_pk PRIMARY KEY (workspace, name, "key"), 
	CONSTRAINT mcp_server_tags_server_fkey FOREIGN KEY(workspace, name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_version_tags (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	CONSTRAINT mcp_server_version_tags_pk PRIMARY KEY (workspace, name, version, "key"), 
	CONSTRAINT mcp_server_version_tags_version_fkey FOREIGN KEY(workspace, name, version) REFERENCES mcp_server_versions (workspace, name, version) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_server_versions (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	version VARCHAR(128) NOT NULL, 
	version_major INTEGER NOT NULL, 
	version_minor INTEGER NOT NULL, 
	version_patch INTEGER NOT NULL, 
	version_prerelease_sort_key VARCHAR(512) NOT NULL, 
	server_json JSON NOT NULL, 
	status VARCHAR(20) DEFAULT 'draft' NOT NULL, 
	tools JSON, 
	source VARCHAR(512), 
	connect_options JSON, 
	created_by VARCHAR(256), 
	last_updated_by VARCHAR(256), 
	created_at BIGINT NOT NULL, 
	last_updated_at BIGINT NOT NULL, 
	CONSTRAINT mcp_server_versions_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT mcp_server_versions_server_fkey FOREIGN KEY(workspace, name) REFERENCES mcp_servers (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE mcp_servers (
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	display_name VARCHAR(256), 
	description TEXT, 
	icons JSON, 
	created_by VARCHAR(256), 
	last_updated_by VARCHAR(256), 
	created_at BIGINT NOT NULL, 
	last_updated_at BIGINT NOT NULL, 
	CONSTRAINT mcp_servers_pk PRIMARY KEY (workspace, name)
);
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
INSERT INTO "metrics" VALUES('train/source_ce',2.87811803817749023437e+00,1795914944863,'5b88f505a3cf4984a353b3729f4cda6a',2,0);
INSERT INTO "metrics" VALUES('train/lr',6.66686000000000751966e-05,1795914944863,'5b88f505a3cf4984a353b3729f4cda6a',2,0);
INSERT INTO "metrics" VALUES('train/images_per_s',4.82537616880967945576e+00,1795914944863,'5b88f505a3cf4984a353b3729f4cda6a',2,0);
INSERT INTO "metrics" VALUES('miou/16',4.54672564866912587433e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('miou/13',5.91074334326986594589e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/road',2.440089038492860496e+01,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/sidewalk',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/building',2.38015138772077383677e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/wall',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/fence',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/pole',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/traffic_light',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/traffic_sign',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/vegetation',9.6543228885980454379e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/sky',3.45449083808951618035e-01,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/person',2.62244897959183642655e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/car',1.9704170708050437355e+01,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/bicycle',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('validator/entropy',9.98221917116227501747e+01,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('validator/snd',4.84300578967879147285e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('validator/agreement',69.8883056640625,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('validator/balance',44.6057858689393,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/miou/16',2.19559512703459747129e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/miou/13',2.70227092558104287078e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/road',2.0258816919962416847e+01,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/sidewalk',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/building',1.49855520462334523834e+00,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/wall',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/fence',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/pole',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/traffic_light',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/traffic_sign',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/vegetation',1.33447075369469487777e+01,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/sky',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/person',2.74423710208562023071e-02,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/rider',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/car',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/bus',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/motorcycle',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('source/iou/bicycle',0.0,1795914965397,'2e38cb8e9377450abf1ce94bb3f8d524',0,0);
INSERT INTO "metrics" VALUES('iou/bicycle',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/building',2.3802,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/car',19.7042,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/fence',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/person',2.6224,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/pole',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/road',24.4009,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/sidewalk',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/sky',0.3454,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/traffic_light',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/traffic_sign',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/vegetation',9.6543,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('iou/wall',0.0,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('miou/13',5.9107,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('miou/16',4.5467,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('source/miou/13',2.7023,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('source/miou/16',2.1956,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('validator/agreement',69.8883,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('validator/balance',44.6058,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('validator/entropy',99.8222,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('validator/snd',4.843,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('miou',4.55,1795914976722,'662eee684dfe43ecbc40e64e0af4f107',0,0);
INSERT INTO "metrics" VALUES('pl/coverage',39.9993896484375,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/road',4.26516195727084763706e+01,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/confidence/road',7.93011846034737644117e+00,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/road',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/sidewalk',0.0,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/sidewalk',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/building',0.0,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/building',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/wall',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/fence',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/pole',0.0,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/pole',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/traffic_light',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/traffic_sign',0.0,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/traffic_sign',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/vegetation',4.51576417361798405653e+01,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/confidence/vegetation',7.93209924346854222676e+00,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/vegetation',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/sky',0.0,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/sky',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/person',0.0,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/person',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/rider',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage/car',1.41206675224646982513e+00,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/confidence/car',7.60786567221988363485e+00,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/car',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/bus',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/motorcycle',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/threshold/bicycle',7.51781463623046875e-02,1795914984738,'611f5a1696a34d8185f93ac2fc17519b',1,0);
INSERT INTO "metrics" VALUES('pl/coverage',39.9994,1795914986369,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('train/source_ce',1.33110761642456054687e+01,1795915000540,'1bd9b42ea1964402a47791514c6d7ae1',2,0);
INSERT INTO "metrics" VALUES('train/target_ce',1.49200928211212158203e+00,1795915000540,'1bd9b42ea1964402a47791514c6d7ae1',2,0);
INSERT INTO "metrics" VALUES('train/lr',1.65000000000000020781e-03,1795915000540,'1bd9b42ea1964402a47791514c6d7ae1',2,0);
INSERT INTO "metrics" VALUES('train/images_per_s',5.64315633659899074103e+00,1795915000540,'1bd9b42ea1964402a47791514c6d7ae1',2,0);
INSERT INTO "metrics" VALUES('miou/16',2.44307144149054700221e+00,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('miou/13',3.17599287393771145815e+00,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/road',3.17599287393771128056e+01,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/sidewalk',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/building',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/wall',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/fence',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/pole',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/traffic_light',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/traffic_sign',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/vegetation',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/sky',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/person',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/car',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/bicycle',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('validator/entropy',1.3161192164204474353e-01,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('validator/snd',4.84418708614930526579e+00,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('validator/agreement',100.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('validator/balance',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('pl/precision/road',1.57671081677704183476e+01,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('pl/precision/vegetation',1.38678223185265423465e+01,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('pl/precision/car',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('pl/precision',1.53369080689967045576e+01,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('pl/ece',7.43028188728787331029e+00,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/miou/16',1.55849456787109375e+00,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/miou/13',1.91814716045673083755e+00,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/road',24.9359130859375,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/sidewalk',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/building',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/wall',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/fence',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/pole',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/traffic_light',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/traffic_sign',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/vegetation',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/sky',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/person',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/rider',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/car',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/bus',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/motorcycle',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('source/iou/bicycle',0.0,1795915017315,'a77daea3c58d4184aded7217d0c2f614',1,0);
INSERT INTO "metrics" VALUES('iou/bus',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,1);
INSERT INTO "metrics" VALUES('iou/motorcycle',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,1);
INSERT INTO "metrics" VALUES('iou/rider',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,1);
INSERT INTO "metrics" VALUES('iou/terrain',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,1);
INSERT INTO "metrics" VALUES('iou/train',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,1);
INSERT INTO "metrics" VALUES('iou/truck',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,1);
INSERT INTO "metrics" VALUES('iou/bicycle',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/building',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/car',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/fence',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/person',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/pole',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/road',31.7599,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/sidewalk',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/sky',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/traffic_light',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/traffic_sign',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/vegetation',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('iou/wall',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('miou/13',3.176,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('miou/16',2.4431,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('pl/ece',7.4303,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('pl/precision',15.3369,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('source/miou/13',1.9181,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('source/miou/16',1.5585,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('validator/agreement',100.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('validator/balance',0.0,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('validator/entropy',0.1316,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('validator/snd',4.8442,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
INSERT INTO "metrics" VALUES('miou',2.44,1795915024274,'662eee684dfe43ecbc40e64e0af4f107',1,0);
CREATE TABLE "model_definitions" (
	model_definition_id VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	secret_id VARCHAR(36), 
	provider VARCHAR(64) NOT NULL, 
	model_name VARCHAR(256) NOT NULL, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_definitions_pk PRIMARY KEY (model_definition_id), 
	CONSTRAINT fk_model_definitions_secret_id FOREIGN KEY(secret_id) REFERENCES secrets (secret_id) ON DELETE SET NULL, 
	CONSTRAINT uq_model_definitions_workspace_name UNIQUE (workspace, name)
);
CREATE TABLE "model_version_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_tag_pk PRIMARY KEY (workspace, "key", name, version), 
	CONSTRAINT fk_model_version_tags_model_versions FOREIGN KEY(workspace, name, version) REFERENCES model_versions (workspace, name, version) ON UPDATE CASCADE
);
CREATE TABLE "model_versions" (
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	user_id VARCHAR(256), 
	current_stage VARCHAR(20), 
	source VARCHAR(500), 
	run_id VARCHAR(32), 
	status VARCHAR(20), 
	status_message VARCHAR(500), 
	run_link VARCHAR(500), 
	storage_location VARCHAR(500), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT fk_model_versions_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
CREATE TABLE online_scoring_configs (
	online_scoring_config_id VARCHAR(36) NOT NULL, 
	scorer_id VARCHAR(36) NOT NULL, 
	sample_rate FLOAT NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	filter_string TEXT, 
	CONSTRAINT online_scoring_config_pk PRIMARY KEY (online_scoring_config_id), 
	CONSTRAINT fk_online_scoring_configs_scorer_id FOREIGN KEY(scorer_id) REFERENCES scorers (scorer_id) ON DELETE CASCADE, 
	CONSTRAINT fk_online_scoring_configs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id)
);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "params" VALUES('cfg.scenario.name','syn2city','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.title','SYNTHIA to Cityscapes','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.label_space','cityscapes16','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.dataset','synthia','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.split','train','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.dataset','synthia','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.split','val','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.dataset','cityscapes','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.split','train','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.dataset','cityscapes','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.split','val','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.dataset','cityscapes','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.split','test','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.report','target_test','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.profile','miniature','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.name','st','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.title','ST (global threshold)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.role','method','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.warmup.objective.name','supervised','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.warmup.source','source_train','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.publication','Zou et al., ECCV 2018','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.rounds','1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.objective.name','self_training','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.objective.pool','domains','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.objective.target_class_weights','0.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.selector.name','global','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.selector.portion','[0.4, 0.5, 0.6]','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.generator','last','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.start','last','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.source','source_train','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.target','target_train','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.source_portion','1.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.source_policy','cumulative','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.ensemble','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.reestimate_bn','(''after'',)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.method.round.balanced_bn','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.name','miniature','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.title','compact network at 256x128 on the CPU','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.model.name','deeplabv2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.model.depth','26','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.model.width','4','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.frames_hw','(64, 128)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.frames_interpolation','area','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.steps','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.source','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.target','0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.mixed','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.name','adamw','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.lr','0.004','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.weight_decay','0.01','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.momentum','0.9','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.betas','(0.9, 0.999)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.visits','once','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.kind','cosine','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.power','0.9','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.floor','0.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.period','1.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.warmup_steps','30','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.brightness_contrast','0.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.flip','0.5','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_source','0.5','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_target','0.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.loss_stride','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.class_weights','sqrt_median_frequency','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_affine','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_statistics','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.steps','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.batch.source','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.batch.target','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.batch.mixed','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.name','adamw','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.lr','0.003','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.weight_decay','0.01','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.momentum','0.9','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.betas','(0.9, 0.999)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.visits','once','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.kind','cosine','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.power','0.9','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.floor','0.1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.period','1.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.warmup_steps','0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.brightness_contrast','0.0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.flip','0.5','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_source','0.8','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_target','0.8','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.loss_stride','2','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.class_weights','sqrt_median_frequency','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_affine','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_statistics','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.labelling.size_hw','(64, 128)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.labelling.scales','(1.0,)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.labelling.flip','True','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.labelling.interpolation','area','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.labelling.align_corners','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.labelling.average','probabilities','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.evaluation.size_hw','(64, 128)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.evaluation.scales','(1.0,)','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.evaluation.flip','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.evaluation.interpolation','area','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.evaluation.align_corners','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.evaluation.average','probabilities','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.audit','True','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.validators','True','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.precision','float32','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.deterministic','False','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.profile.workers','1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.recipe','adapted','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.seed','0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.data_root','/store/../w','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.overrides','(''profile.frames_hw=[64,128]'', ''profile.labelling.size_hw=[64,128]'', ''profile.evaluation.size_hw=[64,128]'', ''profile.warmup.steps=2'', ''profile.warmup.batch.source=2'', ''profile.round.steps=2'', ''profile.round.batch.source=2'', ''profile.round.batch.target=2'', ''profile.model={name: deeplabv2, depth: 26, width: 4}'', ''rounds=1'')','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "params" VALUES('cfg.scenario.name','syn2city','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.title','SYNTHIA to Cityscapes','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.label_space','cityscapes16','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.dataset','synthia','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.split','train','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.dataset','synthia','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.split','val','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.dataset','cityscapes','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.split','train','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.dataset','cityscapes','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.split','val','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.dataset','cityscapes','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.split','test','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.report','target_test','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.profile','miniature','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.name','st','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.title','ST (global threshold)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.role','method','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.warmup.objective.name','supervised','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.warmup.source','source_train','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.publication','Zou et al., ECCV 2018','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.rounds','1','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.objective.name','self_training','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.objective.pool','domains','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.objective.target_class_weights','0.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.selector.name','global','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.selector.portion','[0.4, 0.5, 0.6]','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.generator','last','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.start','last','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.source','source_train','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.target','target_train','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.source_portion','1.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.source_policy','cumulative','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.ensemble','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.reestimate_bn','(''after'',)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.method.round.balanced_bn','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.name','miniature','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.title','compact network at 256x128 on the CPU','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.model.name','deeplabv2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.model.depth','26','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.model.width','4','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.frames_hw','(64, 128)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.frames_interpolation','area','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.steps','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.source','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.target','0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.mixed','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.name','adamw','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.lr','0.004','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.weight_decay','0.01','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.momentum','0.9','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.betas','(0.9, 0.999)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.visits','once','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.kind','cosine','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.power','0.9','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.floor','0.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.period','1.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.warmup_steps','30','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.brightness_contrast','0.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.flip','0.5','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_source','0.5','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_target','0.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.loss_stride','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.class_weights','sqrt_median_frequency','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_affine','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_statistics','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.steps','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.batch.source','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.batch.target','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.batch.mixed','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.name','adamw','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.lr','0.003','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.weight_decay','0.01','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.momentum','0.9','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.betas','(0.9, 0.999)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.visits','once','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.kind','cosine','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.power','0.9','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.floor','0.1','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.period','1.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.warmup_steps','0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.brightness_contrast','0.0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.flip','0.5','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_source','0.8','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_target','0.8','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.loss_stride','2','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.class_weights','sqrt_median_frequency','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_affine','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_statistics','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.labelling.size_hw','(64, 128)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.labelling.scales','(1.0,)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.labelling.flip','True','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.labelling.interpolation','area','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.labelling.align_corners','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.labelling.average','probabilities','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.evaluation.size_hw','(64, 128)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.evaluation.scales','(1.0,)','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.evaluation.flip','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.evaluation.interpolation','area','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.evaluation.align_corners','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.evaluation.average','probabilities','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.audit','True','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.validators','True','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.precision','float32','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.deterministic','False','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.profile.workers','1','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.recipe','adapted','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.seed','0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.data_root','/store/../w','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.overrides','(''profile.frames_hw=[64,128]'', ''profile.labelling.size_hw=[64,128]'', ''profile.evaluation.size_hw=[64,128]'', ''profile.warmup.steps=2'', ''profile.warmup.batch.source=2'', ''profile.round.steps=2'', ''profile.round.batch.source=2'', ''profile.round.batch.target=2'', ''profile.model={name: deeplabv2, depth: 26, width: 4}'', ''rounds=1'')','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "params" VALUES('cfg.scenario.name','syn2city','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.title','SYNTHIA to Cityscapes','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.label_space','cityscapes16','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.dataset','synthia','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.split','train','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.dataset','synthia','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.split','val','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.dataset','cityscapes','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.split','train','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.dataset','cityscapes','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.split','val','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.dataset','cityscapes','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.split','test','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.report','target_test','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.profile','miniature','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.name','st','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.title','ST (global threshold)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.role','method','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.warmup.objective.name','supervised','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.warmup.source','source_train','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.publication','Zou et al., ECCV 2018','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.rounds','1','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.objective.name','self_training','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.objective.pool','domains','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.objective.target_class_weights','0.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.selector.name','global','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.selector.portion','[0.4, 0.5, 0.6]','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.generator','last','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.start','last','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.source','source_train','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.target','target_train','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.source_portion','1.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.source_policy','cumulative','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.ensemble','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.reestimate_bn','(''after'',)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.method.round.balanced_bn','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.name','miniature','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.title','compact network at 256x128 on the CPU','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.model.name','deeplabv2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.model.depth','26','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.model.width','4','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.frames_hw','(64, 128)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.frames_interpolation','area','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.steps','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.source','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.target','0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.mixed','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.name','adamw','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.lr','0.004','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.weight_decay','0.01','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.momentum','0.9','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.betas','(0.9, 0.999)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.visits','once','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.kind','cosine','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.power','0.9','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.floor','0.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.period','1.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.warmup_steps','30','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.brightness_contrast','0.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.flip','0.5','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_source','0.5','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_target','0.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.loss_stride','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.class_weights','sqrt_median_frequency','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_affine','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_statistics','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.steps','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.batch.source','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.batch.target','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.batch.mixed','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.name','adamw','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.lr','0.003','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.weight_decay','0.01','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.momentum','0.9','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.betas','(0.9, 0.999)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.visits','once','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.kind','cosine','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.power','0.9','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.floor','0.1','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.period','1.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.warmup_steps','0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.brightness_contrast','0.0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.flip','0.5','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_source','0.8','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_target','0.8','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.loss_stride','2','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.class_weights','sqrt_median_frequency','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_affine','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_statistics','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.labelling.size_hw','(64, 128)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.labelling.scales','(1.0,)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.labelling.flip','True','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.labelling.interpolation','area','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.labelling.align_corners','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.labelling.average','probabilities','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.evaluation.size_hw','(64, 128)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.evaluation.scales','(1.0,)','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.evaluation.flip','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.evaluation.interpolation','area','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.evaluation.align_corners','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.evaluation.average','probabilities','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.audit','True','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.validators','True','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.precision','float32','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.deterministic','False','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.profile.workers','1','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.recipe','adapted','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.seed','0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.data_root','/store/../w','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.overrides','(''profile.frames_hw=[64,128]'', ''profile.labelling.size_hw=[64,128]'', ''profile.evaluation.size_hw=[64,128]'', ''profile.warmup.steps=2'', ''profile.warmup.batch.source=2'', ''profile.round.steps=2'', ''profile.round.batch.source=2'', ''profile.round.batch.target=2'', ''profile.model={name: deeplabv2, depth: 26, width: 4}'', ''rounds=1'')','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "params" VALUES('cfg.scenario.name','syn2city','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.title','SYNTHIA to Cityscapes','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.label_space','cityscapes16','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.dataset','synthia','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.split','train','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.dataset','synthia','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.split','val','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.dataset','cityscapes','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.split','train','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.dataset','cityscapes','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.split','val','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.dataset','cityscapes','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.split','test','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.report','target_test','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.profile','miniature','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.name','st','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.title','ST (global threshold)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.role','method','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.warmup.objective.name','supervised','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.warmup.source','source_train','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.publication','Zou et al., ECCV 2018','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.rounds','1','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.objective.name','self_training','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.objective.pool','domains','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.objective.target_class_weights','0.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.selector.name','global','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.selector.portion','[0.4, 0.5, 0.6]','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.generator','last','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.start','last','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.source','source_train','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.target','target_train','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.source_portion','1.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.source_policy','cumulative','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.ensemble','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.reestimate_bn','(''after'',)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.method.round.balanced_bn','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.name','miniature','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.title','compact network at 256x128 on the CPU','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.model.name','deeplabv2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.model.depth','26','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.model.width','4','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.frames_hw','(64, 128)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.frames_interpolation','area','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.steps','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.source','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.target','0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.mixed','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.name','adamw','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.lr','0.004','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.weight_decay','0.01','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.momentum','0.9','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.betas','(0.9, 0.999)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.visits','once','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.kind','cosine','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.power','0.9','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.floor','0.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.period','1.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.warmup_steps','30','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.brightness_contrast','0.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.flip','0.5','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_source','0.5','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_target','0.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.loss_stride','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.class_weights','sqrt_median_frequency','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_affine','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_statistics','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.steps','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.batch.source','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.batch.target','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.batch.mixed','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.name','adamw','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.lr','0.003','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.weight_decay','0.01','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.momentum','0.9','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.betas','(0.9, 0.999)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.visits','once','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.kind','cosine','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.power','0.9','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.floor','0.1','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.period','1.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.warmup_steps','0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.brightness_contrast','0.0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.flip','0.5','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_source','0.8','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_target','0.8','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.loss_stride','2','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.class_weights','sqrt_median_frequency','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_affine','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_statistics','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.labelling.size_hw','(64, 128)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.labelling.scales','(1.0,)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.labelling.flip','True','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.labelling.interpolation','area','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.labelling.align_corners','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.labelling.average','probabilities','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.evaluation.size_hw','(64, 128)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.evaluation.scales','(1.0,)','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.evaluation.flip','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.evaluation.interpolation','area','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.evaluation.align_corners','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.evaluation.average','probabilities','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.audit','True','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.validators','True','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.precision','float32','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.deterministic','False','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.profile.workers','1','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.recipe','adapted','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.seed','0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.data_root','/store/../w','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.overrides','(''profile.frames_hw=[64,128]'', ''profile.labelling.size_hw=[64,128]'', ''profile.evaluation.size_hw=[64,128]'', ''profile.warmup.steps=2'', ''profile.warmup.batch.source=2'', ''profile.round.steps=2'', ''profile.round.batch.source=2'', ''profile.round.batch.target=2'', ''profile.model={name: deeplabv2, depth: 26, width: 4}'', ''rounds=1'')','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "params" VALUES('cfg.scenario.name','syn2city','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.title','SYNTHIA to Cityscapes','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.label_space','cityscapes16','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.dataset','synthia','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.split','train','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.dataset','synthia','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.split','val','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.dataset','cityscapes','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.split','train','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.dataset','cityscapes','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.split','val','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.dataset','cityscapes','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.split','test','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.report','target_test','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.profile','miniature','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.name','st','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.title','ST (global threshold)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.role','method','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.warmup.objective.name','supervised','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.warmup.source','source_train','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.publication','Zou et al., ECCV 2018','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.rounds','1','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.objective.name','self_training','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.objective.pool','domains','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.objective.target_class_weights','0.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.selector.name','global','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.selector.portion','[0.4, 0.5, 0.6]','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.generator','last','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.start','last','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.source','source_train','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.target','target_train','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.source_portion','1.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.source_policy','cumulative','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.ensemble','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.reestimate_bn','(''after'',)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.method.round.balanced_bn','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.name','miniature','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.title','compact network at 256x128 on the CPU','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.model.name','deeplabv2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.model.depth','26','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.model.width','4','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.frames_hw','(64, 128)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.frames_interpolation','area','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.steps','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.source','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.target','0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.mixed','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.name','adamw','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.lr','0.004','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.weight_decay','0.01','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.momentum','0.9','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.betas','(0.9, 0.999)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.visits','once','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.kind','cosine','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.power','0.9','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.floor','0.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.period','1.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.warmup_steps','30','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.brightness_contrast','0.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.flip','0.5','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_source','0.5','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_target','0.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.loss_stride','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.class_weights','sqrt_median_frequency','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_affine','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_statistics','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.steps','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.batch.source','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.batch.target','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.batch.mixed','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.name','adamw','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.lr','0.003','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.weight_decay','0.01','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.momentum','0.9','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.betas','(0.9, 0.999)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.visits','once','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.kind','cosine','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.power','0.9','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.floor','0.1','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.period','1.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.warmup_steps','0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.brightness_contrast','0.0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.flip','0.5','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_source','0.8','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_target','0.8','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.loss_stride','2','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.class_weights','sqrt_median_frequency','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_affine','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_statistics','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.labelling.size_hw','(64, 128)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.labelling.scales','(1.0,)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.labelling.flip','True','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.labelling.interpolation','area','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.labelling.align_corners','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.labelling.average','probabilities','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.evaluation.size_hw','(64, 128)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.evaluation.scales','(1.0,)','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.evaluation.flip','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.evaluation.interpolation','area','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.evaluation.align_corners','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.evaluation.average','probabilities','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.audit','True','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.validators','True','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.precision','float32','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.deterministic','False','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.profile.workers','1','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.recipe','adapted','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.seed','0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.data_root','/store/../w','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.overrides','(''profile.frames_hw=[64,128]'', ''profile.labelling.size_hw=[64,128]'', ''profile.evaluation.size_hw=[64,128]'', ''profile.warmup.steps=2'', ''profile.warmup.batch.source=2'', ''profile.round.steps=2'', ''profile.round.batch.source=2'', ''profile.round.batch.target=2'', ''profile.model={name: deeplabv2, depth: 26, width: 4}'', ''rounds=1'')','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "params" VALUES('cfg.scenario.name','syn2city','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.title','SYNTHIA to Cityscapes','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.label_space','cityscapes16','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.dataset','synthia','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_train.split','train','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.dataset','synthia','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.source_val.split','val','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.dataset','cityscapes','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_train.split','train','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.dataset','cityscapes','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_dev.split','val','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.dataset','cityscapes','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.splits.target_test.split','test','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.report','target_test','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.scenario.profile','miniature','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.name','st','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.title','ST (global threshold)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.role','method','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.warmup.objective.name','supervised','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.warmup.source','source_train','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.publication','Zou et al., ECCV 2018','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.rounds','1','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.objective.name','self_training','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.objective.pool','domains','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.objective.target_class_weights','0.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.selector.name','global','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.selector.portion','[0.4, 0.5, 0.6]','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.generator','last','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.start','last','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.source','source_train','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.target','target_train','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.source_portion','1.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.source_policy','cumulative','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.ensemble','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.reestimate_bn','(''after'',)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.method.round.balanced_bn','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.name','miniature','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.title','compact network at 256x128 on the CPU','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.model.name','deeplabv2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.model.depth','26','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.model.width','4','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.frames_hw','(64, 128)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.frames_interpolation','area','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.steps','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.source','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.target','0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.batch.mixed','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.name','adamw','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.lr','0.004','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.weight_decay','0.01','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.momentum','0.9','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.betas','(0.9, 0.999)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.optimiser.visits','once','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.kind','cosine','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.power','0.9','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.floor','0.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.period','1.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.schedule.warmup_steps','30','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.brightness_contrast','0.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.flip','0.5','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_source','0.5','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.augmentation.jitter_target','0.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.loss_stride','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.class_weights','sqrt_median_frequency','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_affine','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.warmup.freeze_bn_statistics','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.steps','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.batch.source','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.batch.target','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.batch.mixed','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.name','adamw','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.lr','0.003','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.weight_decay','0.01','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.momentum','0.9','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.betas','(0.9, 0.999)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.optimiser.visits','once','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.kind','cosine','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.power','0.9','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.floor','0.1','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.period','1.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.schedule.warmup_steps','0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.brightness_contrast','0.0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.flip','0.5','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_source','0.8','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.augmentation.jitter_target','0.8','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.loss_stride','2','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.class_weights','sqrt_median_frequency','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_affine','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.round.freeze_bn_statistics','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.labelling.size_hw','(64, 128)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.labelling.scales','(1.0,)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.labelling.flip','True','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.labelling.interpolation','area','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.labelling.align_corners','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.labelling.average','probabilities','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.evaluation.size_hw','(64, 128)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.evaluation.scales','(1.0,)','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.evaluation.flip','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.evaluation.interpolation','area','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.evaluation.align_corners','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.evaluation.average','probabilities','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.audit','True','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.validators','True','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.precision','float32','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.deterministic','False','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.profile.workers','1','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.recipe','adapted','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.seed','0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.data_root','/store/../w','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "params" VALUES('cfg.overrides','(''profile.frames_hw=[64,128]'', ''profile.labelling.size_hw=[64,128]'', ''profile.evaluation.size_hw=[64,128]'', ''profile.warmup.steps=2'', ''profile.warmup.batch.source=2'', ''profile.round.steps=2'', ''profile.round.batch.source=2'', ''profile.round.batch.target=2'', ''profile.model={name: deeplabv2, depth: 26, width: 4}'', ''rounds=1'')','a77daea3c58d4184aded7217d0c2f614');
CREATE TABLE "registered_model_aliases" (
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_alias_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT fk_registered_model_aliases_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE "registered_model_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(5000), 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_tag_pk PRIMARY KEY (workspace, "key", name), 
	CONSTRAINT fk_registered_model_tags_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
CREATE TABLE "registered_models" (
	name VARCHAR(256) NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_pk PRIMARY KEY (workspace, name)
);
CREATE TABLE review_queue_items (
	queue_id VARCHAR(36) NOT NULL, 
	item_type VARCHAR(16) NOT NULL, 
	item_id VARCHAR(50) NOT NULL, 
	status VARCHAR(16) NOT NULL, 
	completed_by VARCHAR(250), 
	completed_time_ms BIGINT, 
	creation_time_ms BIGINT NOT NULL, 
	last_update_time_ms BIGINT NOT NULL, 
	CONSTRAINT review_queue_items_pk PRIMARY KEY (queue_id, item_id), 
	CONSTRAINT fk_review_queue_items_queue_id FOREIGN KEY(queue_id) REFERENCES review_queues (queue_id) ON DELETE CASCADE
);
CREATE TABLE review_queue_label_schemas (
	queue_id VARCHAR(36) NOT NULL, 
	schema_id VARCHAR(36) NOT NULL, 
	CONSTRAINT review_queue_label_schemas_pk PRIMARY KEY (queue_id, schema_id), 
	CONSTRAINT fk_review_queue_label_schemas_queue_id FOREIGN KEY(queue_id) REFERENCES review_queues (queue_id) ON DELETE CASCADE
);
CREATE TABLE review_queue_users (
	queue_id VARCHAR(36) NOT NULL, 
	user_id VARCHAR(250) NOT NULL, 
	CONSTRAINT review_queue_users_pk PRIMARY KEY (queue_id, user_id), 
	CONSTRAINT fk_review_queue_users_queue_id FOREIGN KEY(queue_id) REFERENCES review_queues (queue_id) ON DELETE CASCADE
);
CREATE TABLE review_queues (
	queue_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(250) NOT NULL, 
	queue_type VARCHAR(16) NOT NULL, 
	created_by VARCHAR(255), 
	creation_time_ms BIGINT NOT NULL, 
	last_update_time_ms BIGINT NOT NULL, 
	name_key VARCHAR(250) NOT NULL, 
	CONSTRAINT review_queues_pk PRIMARY KEY (queue_id), 
	CONSTRAINT fk_review_queues_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE, 
	CONSTRAINT uq_review_queues_experiment_name_key UNIQUE (experiment_id, name_key)
);
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
INSERT INTO "runs" VALUES('662eee684dfe43ecbc40e64e0af4f107','st-adapted-s0 frames_hw=[64,128] labelling.size_hw=[64,128] evaluation.size_hw=[64,128] warmup.steps=2 warmup.batch.sour','UNKNOWN','','','root','FINISHED',1795914919354,1795915027027,'','active','/store/mlruns/0/662eee684dfe43ecbc40e64e0af4f107/artifacts',0,NULL);
INSERT INTO "runs" VALUES('5b88f505a3cf4984a353b3729f4cda6a','st-adapted-s0 warmup','UNKNOWN','','','root','FINISHED',1795914927716,1795914954018,'','active','/store/mlruns/0/5b88f505a3cf4984a353b3729f4cda6a/artifacts',0,NULL);
INSERT INTO "runs" VALUES('2e38cb8e9377450abf1ce94bb3f8d524','st-adapted-s0 evaluate 0','UNKNOWN','','','root','FINISHED',1795914954646,1795914976256,'','active','/store/mlruns/0/2e38cb8e9377450abf1ce94bb3f8d524/artifacts',0,NULL);
INSERT INTO "runs" VALUES('611f5a1696a34d8185f93ac2fc17519b','st-adapted-s0 pseudo_label 1','UNKNOWN','','','root','FINISHED',1795914977047,1795914985851,'','active','/store/mlruns/0/611f5a1696a34d8185f93ac2fc17519b/artifacts',0,NULL);
INSERT INTO "runs" VALUES('1bd9b42ea1964402a47791514c6d7ae1','st-adapted-s0 self_train 1','UNKNOWN','','','root','FINISHED',1795914986730,1795915002353,'','active','/store/mlruns/0/1bd9b42ea1964402a47791514c6d7ae1/artifacts',0,NULL);
INSERT INTO "runs" VALUES('a77daea3c58d4184aded7217d0c2f614','st-adapted-s0 evaluate 1','UNKNOWN','','','root','FINISHED',1795915003152,1795915023989,'','active','/store/mlruns/0/a77daea3c58d4184aded7217d0c2f614/artifacts',0,NULL);
CREATE TABLE scheduler_leases (
	lease_key VARCHAR(255) NOT NULL, 
	acquired_at BIGINT NOT NULL, 
	ttl_seconds INTEGER NOT NULL, 
	CONSTRAINT scheduler_leases_pk PRIMARY KEY (lease_key)
);
CREATE TABLE scorer_versions (
	scorer_id VARCHAR(36) NOT NULL, 
	scorer_version INTEGER NOT NULL, 
	serialized_scorer TEXT NOT NULL, 
	creation_time BIGINT, 
	CONSTRAINT scorer_version_pk PRIMARY KEY (scorer_id, scorer_version), 
	CONSTRAINT fk_scorer_versions_scorer_id FOREIGN KEY(scorer_id) REFERENCES scorers (scorer_id) ON DELETE CASCADE
);
CREATE TABLE scorers (
	experiment_id INTEGER NOT NULL, 
	scorer_name VARCHAR(256) NOT NULL, 
	scorer_id VARCHAR(36) NOT NULL, 
	CONSTRAINT scorer_pk PRIMARY KEY (scorer_id), 
	CONSTRAINT fk_scorers_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE "secrets" (
	secret_id VARCHAR(36) NOT NULL, 
	secret_name VARCHAR(255) NOT NULL, 
	encrypted_value BLOB NOT NULL, 
	wrapped_dek BLOB NOT NULL, 
	kek_version INTEGER NOT NULL, 
	masked_value VARCHAR(500) NOT NULL, 
	provider VARCHAR(64), 
	auth_config TEXT, 
	description TEXT, 
	created_by VARCHAR(255), 
	created_at BIGINT NOT NULL, 
	last_updated_by VARCHAR(255), 
	last_updated_at BIGINT NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT secrets_pk PRIMARY KEY (secret_id), 
	CONSTRAINT uq_secrets_workspace_secret_name UNIQUE (workspace, secret_name)
);
CREATE TABLE span_metrics (
	trace_id VARCHAR(50) NOT NULL, 
	span_id VARCHAR(50) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT, 
	CONSTRAINT span_metrics_pk PRIMARY KEY (trace_id, span_id, "key"), 
	CONSTRAINT fk_span_metrics_span FOREIGN KEY(trace_id, span_id) REFERENCES spans (trace_id, span_id) ON DELETE CASCADE
);
CREATE TABLE "spans" (
	trace_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	span_id VARCHAR(50) NOT NULL, 
	parent_span_id VARCHAR(50), 
	name TEXT, 
	type VARCHAR(500), 
	status VARCHAR(50) NOT NULL, 
	start_time_unix_nano BIGINT NOT NULL, 
	end_time_unix_nano BIGINT, 
	duration_ns BIGINT GENERATED ALWAYS AS (end_time_unix_nano - start_time_unix_nano) STORED, 
	content TEXT NOT NULL, 
	input_cost FLOAT, 
	output_cost FLOAT, 
	total_cost FLOAT, 
	model_name VARCHAR(500), 
	model_provider VARCHAR(500), 
	CONSTRAINT spans_pk PRIMARY KEY (trace_id, span_id), 
	CONSTRAINT fk_spans_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_spans_trace_id FOREIGN KEY(trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE sql_assessment_daily_rollups (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	metric_name VARCHAR(250) NOT NULL, 
	grouping_set VARCHAR(50) NOT NULL, 
	sample_count BIGINT NOT NULL, 
	sum_value FLOAT, 
	min_value FLOAT, 
	max_value FLOAT, 
	CONSTRAINT sql_assessment_daily_rollups_pk PRIMARY KEY (id)
);
CREATE TABLE sql_span_cost_daily_rollups (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	metric_name VARCHAR(250) NOT NULL, 
	grouping_set VARCHAR(50) NOT NULL, 
	model_name VARCHAR(500), 
	model_provider VARCHAR(500), 
	sample_count BIGINT NOT NULL, 
	sum_value FLOAT, 
	min_value FLOAT, 
	max_value FLOAT, 
	CONSTRAINT sql_span_cost_daily_rollups_pk PRIMARY KEY (id)
);
CREATE TABLE sql_trace_metric_daily_rollups (
	id INTEGER NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	metric_name VARCHAR(250) NOT NULL, 
	grouping_set VARCHAR(50) NOT NULL, 
	trace_status VARCHAR(50), 
	sample_count BIGINT NOT NULL, 
	sum_value FLOAT, 
	min_value FLOAT, 
	max_value FLOAT, 
	p50_value FLOAT, 
	p90_value FLOAT, 
	p99_value FLOAT, 
	CONSTRAINT sql_trace_metric_daily_rollups_pk PRIMARY KEY (id)
);
CREATE TABLE sql_trace_rollup_rebuild_queue (
	experiment_id INTEGER NOT NULL, 
	rollup_day DATE NOT NULL, 
	rollup_family VARCHAR(50) NOT NULL, 
	CONSTRAINT sql_trace_rollup_rebuild_queue_pk PRIMARY KEY (experiment_id, rollup_day, rollup_family)
);
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
INSERT INTO "tags" VALUES('udamlf.process','host/66cc8be1/4026531836:11540:2096218','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('mlflow.user','root','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','30525ed5aef6360778c99ed2981f68138e77a070','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('git_dirty','true','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('stage','chain','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('mlflow.runName','st-adapted-s0 frames_hw=[64,128] labelling.size_hw=[64,128] evaluation.size_hw=[64,128] warmup.steps=2 warmup.batch.sour','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('scenario','syn2city','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('method','st','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('profile','miniature','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('role','method','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('recipe','adapted','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('seed','0','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('data','miniature','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('rounds','1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('split','target_test','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('label_space','cityscapes16','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('overrides','''profile.frames_hw=[64,128]'' ''profile.labelling.size_hw=[64,128]'' ''profile.evaluation.size_hw=[64,128]'' profile.warmup.steps=2 profile.warmup.batch.source=2 profile.round.steps=2 profile.round.batch.source=2 profile.round.batch.target=2 ''profile.model={name: deeplabv2, depth: 26, width: 4}'' rounds=1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.command','udamlf run --scenario syn2city --method st --seed 0 --rounds 1 --data-root /store/../w --set ''profile.frames_hw=[64,128]'' --set ''profile.labelling.size_hw=[64,128]'' --set ''profile.evaluation.size_hw=[64,128]'' --set profile.warmup.steps=2 --set profile.warmup.batch.source=2 --set profile.round.steps=2 --set profile.round.batch.source=2 --set profile.round.batch.target=2 --set ''profile.model={name: deeplabv2, depth: 26, width: 4}''','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.config','4ec362b9b3c6786ecdba0ab41fe704f8c4bd866e7c092ae2b4e3931b514d757d','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.control','9ef505eedd1e8a74dfe5c96444be85a028bb400b3f9bae4d0add0861ccb7d14d','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.source_only','c399f2a10b3e4ec0751127957d32ce74b3388b1c8ace3a1c2e8481c6b2b2f332','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('network','deeplabv2 depth=26 width=4','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.protocol','71ba66032050dbe5','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.data','9766a41c533deafb5b563278d770d1bcaa8f15e20fbdb5da9628b7d353ad8015','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.process','host/66cc8be1/4026531836:11852:2102026','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('mlflow.user','root','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','30525ed5aef6360778c99ed2981f68138e77a070','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('git_dirty','true','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('scenario','syn2city','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('method','st','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('profile','miniature','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('role','method','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('recipe','adapted','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('seed','0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('data','miniature','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('stage','warmup','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('round','0','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('udamlf.key','800ffed215de751c0890ef99acc2e3a45754ee704a024da69d391f3365597a2b','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('mlflow.parentRunId','662eee684dfe43ecbc40e64e0af4f107','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('mlflow.runName','st-adapted-s0 warmup','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('udamlf.artifacts_digest','6aac91ff7057884f4dc03bdc671830463e534deb21f5401496fcaec8de3bf400','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('udamlf.model','m-270818c6399c445890ea836ebd102349','5b88f505a3cf4984a353b3729f4cda6a');
INSERT INTO "tags" VALUES('udamlf.process','host/66cc8be1/4026531836:12024:2104659','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('mlflow.user','root','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','30525ed5aef6360778c99ed2981f68138e77a070','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('git_dirty','true','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('scenario','syn2city','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('method','st','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('profile','miniature','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('role','method','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('recipe','adapted','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('seed','0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('data','miniature','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('stage','evaluate','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('round','0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('udamlf.key','e99e77150cff7bfefeeb5c0f36d02c5fcafb64c4b124583e644f0a9f4586aaf0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('mlflow.parentRunId','662eee684dfe43ecbc40e64e0af4f107','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('mlflow.runName','st-adapted-s0 evaluate 0','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('udamlf.run.warmup.0','5b88f505a3cf4984a353b3729f4cda6a','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.model','m-270818c6399c445890ea836ebd102349','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('udamlf.input.training','5b88f505a3cf4984a353b3729f4cda6a','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('uses_target_labels','true','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('udamlf.artifacts_digest','ece8b032cbdf930750ec626a7d9f7e75c979a2c0a76f099c786eb514851b64b5','2e38cb8e9377450abf1ce94bb3f8d524');
INSERT INTO "tags" VALUES('udamlf.process','host/66cc8be1/4026531836:12153:2106899','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('mlflow.user','root','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','0f2f942f5af0b318dee5dabedf290012a0d70fa8','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('git_dirty','true','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('scenario','syn2city','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('method','st','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('profile','miniature','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('role','method','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('recipe','adapted','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('seed','0','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('data','miniature','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('stage','pseudo_label','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('round','1','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('udamlf.key','d65712a21f5b7c8eb99656b8e409633658d620e89bc1b35e03baf9877dca4c85','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('mlflow.parentRunId','662eee684dfe43ecbc40e64e0af4f107','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('mlflow.runName','st-adapted-s0 pseudo_label 1','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('udamlf.run.evaluate.0','2e38cb8e9377450abf1ce94bb3f8d524','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.scored','1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.heartbeat','1795914979','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('udamlf.heartbeat','1795914979','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.input.generator','5b88f505a3cf4984a353b3729f4cda6a','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('udamlf.artifacts_digest','c361efb40b85414c3141f1adc3c64f417bb05b316ba86fecdf9c6578ef02dfbf','611f5a1696a34d8185f93ac2fc17519b');
INSERT INTO "tags" VALUES('udamlf.process','host/66cc8be1/4026531836:12194:2107861','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('mlflow.user','root','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','0f2f942f5af0b318dee5dabedf290012a0d70fa8','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('git_dirty','true','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('scenario','syn2city','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('method','st','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('profile','miniature','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('role','method','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('recipe','adapted','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('seed','0','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('data','miniature','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('stage','self_train','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('round','1','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('udamlf.key','eebc02f6eb49f308f59bc13f19ef1c9fafcf3a17f504937c32fc13e6d6736af4','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('mlflow.parentRunId','662eee684dfe43ecbc40e64e0af4f107','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('mlflow.runName','st-adapted-s0 self_train 1','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('udamlf.run.pseudo_label.1','611f5a1696a34d8185f93ac2fc17519b','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.input.start','5b88f505a3cf4984a353b3729f4cda6a','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('udamlf.input.labels','611f5a1696a34d8185f93ac2fc17519b','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('udamlf.artifacts_digest','5d88ba6b2416f88543875fb4eaf8b53665191b32da4832bc32a84144e5324ff1','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('udamlf.model','m-1088c39857904534949b7cd5311c40a5','1bd9b42ea1964402a47791514c6d7ae1');
INSERT INTO "tags" VALUES('udamlf.process','host/66cc8be1/4026531836:12295:2109502','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('mlflow.user','root','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('mlflow.source.git.commit','0f2f942f5af0b318dee5dabedf290012a0d70fa8','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('git_dirty','true','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('scenario','syn2city','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('method','st','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('profile','miniature','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('role','method','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('recipe','adapted','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('seed','0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('data','miniature','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('stage','evaluate','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('round','1','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('udamlf.key','9e02dda6b101ec980df8fa2e3435cf77c15c94da08ac9096ae5fcb252e480be0','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('mlflow.parentRunId','662eee684dfe43ecbc40e64e0af4f107','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('mlflow.runName','st-adapted-s0 evaluate 1','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('udamlf.run.self_train.1','1bd9b42ea1964402a47791514c6d7ae1','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.model','m-1088c39857904534949b7cd5311c40a5','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('udamlf.input.training','1bd9b42ea1964402a47791514c6d7ae1','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('udamlf.input.labels','611f5a1696a34d8185f93ac2fc17519b','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('uses_target_labels','true','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('udamlf.artifacts_digest','0f9383c8fa13ea292c70152555a9c6aa776f0c31c6f50d0466d185e719b23d26','a77daea3c58d4184aded7217d0c2f614');
INSERT INTO "tags" VALUES('udamlf.run.evaluate.1','a77daea3c58d4184aded7217d0c2f614','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('udamlf.complete','true','662eee684dfe43ecbc40e64e0af4f107');
INSERT INTO "tags" VALUES('mlflow.note.content','## 2.4 mIoU-16
syn2city on the miniature (procedural scenes), split target_test, profile miniature, seed 0

- over source_only: no run
- over its control: no run

![rounds](get-artifact?path=figures/rounds.png&run_uuid=662eee684dfe43ecbc40e64e0af4f107)

| IoU, % | st | over source_only | over its control |
| --- | ---: | ---: | ---: |
| mIoU 16 | 2.4 | - | - |
| mIoU 13 | 3.2 | - | - |
| road | 31.8 | - | - |
| sidewalk | 0.0 | - | - |
| building | 0.0 | - | - |
| wall | 0.0 | - | - |
| fence | 0.0 | - | - |
| pole | 0.0 | - | - |
| traffic_light | 0.0 | - | - |
| traffic_sign | 0.0 | - | - |
| vegetation | 0.0 | - | - |
| sky | 0.0 | - | - |
| person | 0.0 | - | - |
| rider | - | - | - |
| car | 0.0 | - | - |
| bus | - | - | - |
| motorcycle | - | - | - |
| bicycle | 0.0 | - | - |
| mIoU at home | 1.6 | - | - |
| terrain | not in source | | |
| truck | not in source | | |
| train | not in source | | |

`udamlf run --scenario syn2city --method st --seed 0 --rounds 1 --data-root /store/../w --set ''profile.frames_hw=[64,128]'' --set ''profile.labelling.size_hw=[64,128]'' --set ''profile.evaluation.size_hw=[64,128]'' --set profile.warmup.steps=2 --set profile.warmup.batch.source=2 --set profile.round.steps=2 --set profile.round.batch.source=2 --set profile.round.batch.target=2 --set ''profile.model={name: deeplabv2, depth: 26, width: 4}''`
','662eee684dfe43ecbc40e64e0af4f107');
CREATE TABLE "trace_info" (
	request_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	timestamp_ms BIGINT NOT NULL, 
	execution_time_ms BIGINT, 
	status VARCHAR(50) NOT NULL, 
	client_request_id VARCHAR(50), 
	request_preview VARCHAR(1000), 
	response_preview VARCHAR(1000), 
	db_payload_generation INTEGER DEFAULT '0' NOT NULL, trace_name VARCHAR(4096), session_id VARCHAR(250), input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, cache_read_input_tokens BIGINT, cache_creation_input_tokens BIGINT, cache_creation_input_tokens_above_1hr BIGINT, input_cost FLOAT, output_cost FLOAT, total_cost FLOAT, 
	CONSTRAINT trace_info_pk PRIMARY KEY (request_id), 
	CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE trace_metrics (
	request_id VARCHAR(50) NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT, 
	CONSTRAINT trace_metrics_pk PRIMARY KEY (request_id, "key"), 
	CONSTRAINT fk_trace_metrics_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE "trace_request_metadata" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_request_metadata_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE "trace_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	request_id VARCHAR(50) NOT NULL, 
	CONSTRAINT trace_tag_pk PRIMARY KEY ("key", request_id), 
	CONSTRAINT fk_trace_tags_request_id FOREIGN KEY(request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);
CREATE TABLE webhook_events (
	webhook_id VARCHAR(256) NOT NULL, 
	entity VARCHAR(50) NOT NULL, 
	action VARCHAR(50) NOT NULL, 
	CONSTRAINT webhook_event_pk PRIMARY KEY (webhook_id, entity, action), 
	FOREIGN KEY(webhook_id) REFERENCES webhooks (webhook_id) ON DELETE cascade
);
CREATE TABLE "webhooks" (
	webhook_id VARCHAR(256) NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	description VARCHAR(1000), 
	url VARCHAR(500) NOT NULL, 
	status VARCHAR(20) DEFAULT 'ACTIVE' NOT NULL, 
	secret VARCHAR(1000), 
	creation_timestamp BIGINT, 
	last_updated_timestamp BIGINT, 
	deleted_timestamp BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT webhook_pk PRIMARY KEY (webhook_id)
);
CREATE TABLE workspaces (
	name VARCHAR(63) NOT NULL, 
	description TEXT, 
	default_artifact_root TEXT, trace_archival_location TEXT, trace_archival_retention VARCHAR(32), 
	CONSTRAINT workspaces_pk PRIMARY KEY (name)
);
INSERT INTO "workspaces" VALUES('default','Default workspace for legacy resources',NULL,NULL,NULL);
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);
CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid);
CREATE INDEX index_inputs_destination_type_destination_id_source_type ON inputs (destination_type, destination_id, source_type);
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);
CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id);
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid);
CREATE INDEX index_datasets_experiment_id_dataset_source_type ON datasets (experiment_id, dataset_source_type);
CREATE INDEX index_logged_model_metrics_model_id ON logged_model_metrics (model_id);
CREATE INDEX index_entity_associations_association_id ON entity_associations (association_id);
CREATE INDEX index_entity_associations_reverse_lookup ON entity_associations (destination_type, destination_id, source_type, source_id);
CREATE INDEX idx_webhook_events_entity ON webhook_events (entity);
CREATE INDEX idx_webhook_events_action ON webhook_events (action);
CREATE INDEX idx_webhook_events_entity_action ON webhook_events (entity, action);
CREATE UNIQUE INDEX index_scorers_experiment_id_scorer_name ON scorers (experiment_id, scorer_name);
CREATE INDEX index_scorer_versions_scorer_id ON scorer_versions (scorer_id);
CREATE INDEX index_evaluation_dataset_tags_dataset_id ON evaluation_dataset_tags (dataset_id);
CREATE INDEX index_evaluation_dataset_records_dataset_id ON evaluation_dataset_records (dataset_id);
CREATE INDEX index_endpoint_model_mappings_endpoint_id ON endpoint_model_mappings (endpoint_id);
CREATE INDEX index_endpoint_model_mappings_model_definition_id ON endpoint_model_mappings (model_definition_id);
CREATE INDEX index_endpoint_tags_endpoint_id ON endpoint_tags (endpoint_id);
CREATE INDEX index_trace_metrics_request_id ON trace_metrics (request_id);
CREATE UNIQUE INDEX unique_endpoint_model_linkage_mapping ON endpoint_model_mappings (endpoint_id, model_definition_id, linkage_type);
CREATE INDEX index_span_metrics_trace_id_span_id ON span_metrics (trace_id, span_id);
CREATE INDEX index_evaluation_datasets_created_time ON evaluation_datasets (created_time);
CREATE INDEX index_evaluation_datasets_name ON evaluation_datasets (name);
CREATE INDEX idx_webhooks_name ON webhooks (name);
CREATE INDEX idx_webhooks_status ON webhooks (status);
CREATE TRIGGER prevent_secrets_aad_mutation
BEFORE UPDATE ON secrets
FOR EACH ROW
WHEN OLD.secret_id != NEW.secret_id OR OLD.secret_name != NEW.secret_name
BEGIN
    SELECT RAISE(ABORT, 'secret_id and secret_name are immutable (used as AAD in encryption)');
END;
CREATE INDEX index_model_definitions_secret_id ON model_definitions (secret_id);
CREATE INDEX index_model_definitions_provider ON model_definitions (provider);
CREATE INDEX index_jobs_name_status_creation_time ON jobs (job_name, workspace, status, creation_time);
CREATE INDEX idx_experiments_workspace ON experiments (workspace);
CREATE INDEX idx_registered_models_workspace ON registered_models (workspace);
CREATE INDEX idx_experiments_workspace_creation_time ON experiments (workspace, creation_time);
CREATE INDEX idx_evaluation_datasets_workspace ON evaluation_datasets (workspace);
CREATE INDEX idx_webhooks_workspace ON webhooks (workspace);
CREATE INDEX idx_secrets_workspace ON secrets (workspace);
CREATE INDEX idx_endpoints_workspace ON endpoints (workspace);
CREATE INDEX idx_model_definitions_workspace ON model_definitions (workspace);
CREATE INDEX idx_budget_policies_workspace ON budget_policies (workspace);
CREATE INDEX index_issues_experiment_id ON issues (experiment_id);
CREATE INDEX index_issues_source_run_id ON issues (source_run_id);
CREATE INDEX index_issues_status ON issues (status);
CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, "key", step);
CREATE INDEX idx_guardrails_workspace ON guardrails (workspace);
CREATE INDEX idx_guardrails_scorer ON guardrails (scorer_id, scorer_version);
CREATE INDEX idx_guardrail_configs_endpoint_id ON guardrail_configs (endpoint_id);
CREATE INDEX idx_guardrail_configs_guardrail_id ON guardrail_configs (guardrail_id);
CREATE INDEX idx_model_version_tags_workspace_name_version ON model_version_tags (workspace, name, version);
CREATE INDEX idx_registered_model_tags_workspace_name ON registered_model_tags (workspace, name);
CREATE INDEX index_label_schemas_experiment_id ON label_schemas (experiment_id);
CREATE INDEX index_review_queues_experiment_id ON review_queues (experiment_id);
CREATE INDEX index_review_queue_users_user_id ON review_queue_users (user_id);
CREATE INDEX index_review_queue_items_queue_id_status ON review_queue_items (queue_id, status);
CREATE INDEX index_review_queue_items_item_id ON review_queue_items (item_id);
CREATE INDEX index_review_queue_label_schemas_schema_id ON review_queue_label_schemas (schema_id);
CREATE INDEX idx_mcp_server_versions_latest ON mcp_server_versions (workspace, name, status, version_major DESC, version_minor DESC, version_patch DESC);
CREATE INDEX ix_mcp_access_endpoints_server_name ON mcp_access_endpoints (workspace, server_name);
CREATE INDEX ix_mcp_access_endpoints_version ON mcp_access_endpoints (workspace, server_name, server_version);
CREATE INDEX ix_mcp_access_endpoints_alias ON mcp_access_endpoints (workspace, server_name, server_alias);
CREATE INDEX idx_budget_policies_target_value ON budget_policies (target_value);
CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);
CREATE INDEX index_trace_info_timestamp_ms_request_id ON trace_info (timestamp_ms, request_id);
CREATE INDEX index_assessments_assessment_type ON assessments (assessment_type);
CREATE INDEX index_assessments_trace_id_created_timestamp ON assessments (trace_id, created_timestamp);
CREATE INDEX index_assessments_last_updated_timestamp ON assessments (last_updated_timestamp);
CREATE INDEX index_assessments_run_id_created_timestamp ON assessments (run_id, created_timestamp);
CREATE INDEX index_spans_experiment_id_status_type ON spans (experiment_id, status, type);
CREATE INDEX index_spans_experiment_id_duration ON spans (experiment_id, duration_ns);
CREATE INDEX index_spans_experiment_id_start_time ON spans (experiment_id, start_time_unix_nano);
CREATE INDEX index_spans_experiment_id_type_status ON spans (experiment_id, type, status);
CREATE INDEX index_trace_info_experiment_id_session_id ON trace_info (experiment_id, session_id);
CREATE INDEX idx_trace_rollups_lookup ON sql_trace_metric_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, trace_status);
CREATE INDEX idx_span_cost_rollups_lookup ON sql_span_cost_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, model_name, model_provider);
CREATE INDEX idx_assessment_rollups_lookup ON sql_assessment_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set);
CREATE INDEX idx_spans_cost_trace_time_cover ON spans (trace_id, start_time_unix_nano);
CREATE INDEX idx_spans_cost_exp_time_cover ON spans (experiment_id, start_time_unix_nano);
CREATE INDEX idx_assessments_exp_trace_ts ON assessments (experiment_id, trace_timestamp_ms);
CREATE INDEX idx_assessments_exp_trace_ts_name ON assessments (experiment_id, trace_timestamp_ms, name);
CREATE INDEX idx_assessments_exp_name_valid ON assessments (experiment_id, name, valid);
CREATE INDEX index_job_locks_job_id ON job_locks (job_id);
CREATE INDEX index_jobs_status_lease_expires_at ON jobs (status, lease_expires_at);
COMMIT;
