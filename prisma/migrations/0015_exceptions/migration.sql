-- Exceptions: time-boxed, for one group or one device, in force once people have approved them.

-- CreateTable
CREATE TABLE "exception_grant" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "change" JSONB NOT NULL,
    "group_id" TEXT NOT NULL,
    "request_id" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),
    "ended_by" TEXT,

    CONSTRAINT "exception_grant_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "exception_grant_created_at_id_idx" ON "exception_grant"("created_at", "id");

-- CreateIndex
CREATE INDEX "exception_grant_group_id_idx" ON "exception_grant"("group_id");
