// The backend contract
export type * from "./backend/contract.ts";
export { definePlugin, PLUGIN_API_VERSION, type Plugin } from "./backend/define-plugin.ts";
// CNI socket
export {
  CNI_CODES,
  CNI_MAX_LINE,
  type CniCommand,
  type CniReply,
  type CniRequest,
  type CniResult,
  cniReply,
  cniRequest,
  formatCniReply,
  parseCniRequest,
} from "./cni/protocol.ts";
// Configuration
export { decisionConfiguration, WATCHES } from "./configuration/decision.ts";
export { CONFIG_VARIABLE } from "./configuration/layers.ts";
export { type ConfigurationSources, loadConfiguration, parseConfiguration } from "./configuration/load.ts";
export { type Configuration, configurationSchema } from "./configuration/schema.ts";
export { type Setting, type SettingKind, settings } from "./configuration/settings.ts";
// Errors
export { CORE_ERRORS, CoreError, type CoreErrorCode, errorCode, errorMessage } from "./errors.ts";
// Events
export { canonicalAddress, sortedUnique } from "./events/address.ts";
export type { DecisionConfiguration } from "./events/agent-events.ts";
export { canonicalJson, type Json } from "./events/canonical-json.ts";
export {
  type EventData,
  type EventInput,
  type EventRecord,
  type EventType,
  eventSchemas,
  eventTypes,
  isEventType,
} from "./events/event.ts";
export { inputs } from "./events/inputs.ts";
export type { InterfaceSource } from "./events/kernel-events.ts";
export { parseInput, parseRecord } from "./events/parse.ts";
export type { Action } from "./events/redirection-events.ts";
export { subjects, workloadUid } from "./events/subjects.ts";
// Kubernetes objects
export { ANNOTATIONS } from "./kubernetes/annotations.ts";
export { type ReduceConfig, reduceNamespace, reduceNode, reducePod } from "./kubernetes/reduce.ts";
