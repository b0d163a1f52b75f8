-- A slot of any bucket is given back, whatever else its run took: no kind stands for the others.
DROP INDEX guardrail_admissions_unreleased;
CREATE INDEX guardrail_admissions_unreleased ON guardrail_admissions (tenant_id, run_id) WHERE released_at IS NULL;
