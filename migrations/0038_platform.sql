-- The operator suspends and resumes organizations.
GRANT UPDATE (state) ON tenants TO app_system;
