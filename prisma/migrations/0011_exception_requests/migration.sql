-- What people on devices ask for. It grants nothing: people decide.

-- CreateTable
CREATE TABLE "exception_request" (
    "id" TEXT NOT NULL,
    "device_id" TEXT NOT NULL,
    "request" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "agent" TEXT NOT NULL,
    "os_user" TEXT NOT NULL,
    "access" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "drafted" BOOLEAN NOT NULL,
    "run" TEXT,
    "rule" TEXT NOT NULL,
    "policy" TEXT NOT NULL,
    "asked_at" TIMESTAMPTZ(3) NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "withdrawn_at" TIMESTAMPTZ(3),

    CONSTRAINT "exception_request_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "exception_request_device_id_request_key" ON "exception_request"("device_id", "request");

-- CreateIndex
CREATE INDEX "exception_request_received_at_id_idx" ON "exception_request"("received_at", "id");

-- AddForeignKey
ALTER TABLE "exception_request" ADD CONSTRAINT "exception_request_device_id_fkey" FOREIGN KEY ("device_id") REFERENCES "device"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
