// The admin API, for programs that want what `millrace status` has
export { AdminClient } from "./admin/admin-client.ts";
// Documents with a stable shape
export type { CheckState, Finding } from "./doctor/check.ts";
export type { BackendDiagnosis, Diagnosis } from "./doctor/diagnosis.ts";
// Errors and exit codes
export { AgentError, type AgentErrorCode } from "./errors.ts";
export { EXIT, EXIT_MEANINGS, type ExitCode } from "./exit-codes.ts";
export {
  type EarlierStatus,
  type ProxyStatus,
  STATUS_VERSION,
  type Status,
  statusSchema,
  type WatchStatus,
  WORKLOAD_STATES,
  type WorkloadState,
  type WorkloadStatus,
} from "./status/status-document.ts";
export type { Removal } from "./uninstall/removal.ts";
