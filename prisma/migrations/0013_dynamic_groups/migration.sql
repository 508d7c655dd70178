-- Groups whose members a rule chooses.

-- AlterTable
ALTER TABLE "device_group" ADD COLUMN     "rule" TEXT;

-- A rule makes a group dynamic, nothing else does, and its members are not approved one by one.
ALTER TABLE "device_group" ADD CONSTRAINT "device_group_rule" CHECK (("rule" IS NOT NULL) = ("kind" = 'dynamic') AND ("rule" IS NULL OR "membership" = 'open'));
