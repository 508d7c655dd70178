-- A name is read as a day only where it ends in one: the planner may look at the names of other relations before it knows whose partitions they are.
CREATE OR REPLACE FUNCTION cordon_drop_partitions(keep integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  part regclass;
  gone integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(1129272402, 1);
  FOR part IN
    SELECT i.inhrelid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('public.telemetry_batch'::regclass, 'public.telemetry_event'::regclass)
      AND CASE WHEN c.relname ~ '_[0-9]{8}$'
        THEN to_date(right(c.relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - greatest(keep, 7) ELSE false END
  LOOP
    EXECUTE format('DROP TABLE %s', part);
    gone := gone + 1;
  END LOOP;
  RETURN gone;
END
$$;
