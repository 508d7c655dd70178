-- Enrollment that waits for an administrator, tombstones, rotated keys, and the counter of joins.


-- Written by hand from here on: what the schema language cannot say.

UPDATE "device" SET "approved_at" = "enrolled_at", "key_since" = "enrolled_at";
UPDATE "device" SET "ended_as" = 'revoked' WHERE "revoked_at" IS NOT NULL;
ALTER TABLE "device" ADD CONSTRAINT "device_ended_as" CHECK (("revoked_at" IS NULL) = ("ended_as" IS NULL) AND "ended_as" IN ('revoked', 'retired', 'rejected'));
ALTER TABLE "device_join" ADD CONSTRAINT "device_join_finding" CHECK (("finding" IS NULL) = ("found_at" IS NULL) AND "finding" IN ('restore', 'clone'));

CREATE TRIGGER former_key_immutable BEFORE UPDATE OR DELETE ON "former_key" FOR EACH ROW EXECUTE FUNCTION cordon_refuse_change();
CREATE TRIGGER former_key_kept BEFORE TRUNCATE ON "former_key" FOR EACH STATEMENT EXECUTE FUNCTION cordon_refuse_change();
