export { BackendProcess, BackendProcessError, type BackendSettings } from "./backend-process.ts";
