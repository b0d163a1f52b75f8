-- A signal and the observation it stands on are of one client: the foreign key says so.
ALTER TABLE observations ADD CONSTRAINT observations_client UNIQUE (tenant_id, client_id, observation_id);
ALTER TABLE signals
  DROP CONSTRAINT signals_observation_fkey,
  ADD CONSTRAINT signals_observation_fkey FOREIGN KEY (tenant_id, client_id, observation_id)
    REFERENCES observations (tenant_id, client_id, observation_id);
