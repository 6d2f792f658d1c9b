export {
  type Ask,
  BackendProcess,
  BackendProcessError,
  type BackendSettings,
  type Refusal,
} from "./backend-process.ts";
