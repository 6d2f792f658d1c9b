// What the agent and Millrace's own packages use of the core beyond the contract. Nothing here is promised to others: no version says when it changes.

// State and decisions
export { type AmbientConfig, ambientConfig } from "./ambient/ambient-config.ts";
export { describeTrace } from "./backend/traces.ts";
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
export { decide, type Intent } from "./decide/decide.ts";
export { isNews } from "./decide/is-news.ts";
export { type Membership, membershipOf } from "./decide/membership.ts";
export { MAX_DRAINING, type WantedProxies, wantedProxies } from "./decide/proxies.ts";
export { type Step, step } from "./decide/step.ts";
export { touched } from "./decide/touched.ts";
export { type AddressConflict, type WantedWorkload, wantedWorkload } from "./decide/workload.ts";
// The running agent
export { Engine, type EngineOptions } from "./engine/engine.ts";
export { type Enrolment, enrolmentOf } from "./engine/enrolment.ts";
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
export { proxyKey } from "./events/proxy-key.ts";
export type { Action } from "./events/redirection-events.ts";
export { subjects, workloadUid } from "./events/subjects.ts";
export type { Placement, Switched, SwitchUnderWay } from "./events/switch-events.ts";
export { LOG_SCHEMA_VERSION, upgradeData } from "./events/upgrade.ts";
export { currentBootId } from "./host/boot-id.ts";
export { DIES_WITH_US } from "./host/dies-with-us.ts";
// Files that survive a power cut
export { readAll, removeDurably, removeUnfinished, writeDurably } from "./host/journal-file.ts";
export { removeEmpty } from "./host/remove-empty.ts";
// Workloads that are changed together
export { type Caller, type Wish, type WorkloadTurn, WorkloadTurns } from "./host/workload-turns.ts";
// Kubernetes objects
export { ANNOTATIONS } from "./kubernetes/annotations.ts";
export { type ReduceConfig, reduceNamespace, reduceNode, reducePod } from "./kubernetes/reduce.ts";
export { Lifecycle, type Part } from "./lifecycle/lifecycle.ts";
// Event log
export { type Appended, EventLog, type EventLogOptions, type EventLogStatus, type LogGap } from "./log/event-log.ts";
export { formatHeader, type PortableHeader } from "./log/portable-header.ts";
export { openPortableLog, type PortableLog } from "./log/portable-log.ts";
export { EventLogReader, type LogFilter } from "./log/reader.ts";
export { type RecordedRow, rowOf } from "./log/recorded-row.ts";
export { restoreState } from "./log/restore.ts";
export { type Logger, silentLogger } from "./logger.ts";
// Plugins
export { createBackend, type PluginHost } from "./plugins/create-backend.ts";
export { DEADLINES_MS, GRACE_MS } from "./plugins/deadlines.ts";
export { findPlugin, loadPlugin } from "./plugins/load-plugin.ts";
export { loadPlugins } from "./plugins/load-plugins.ts";
export { PluginError } from "./plugins/plugin-error.ts";
export type { Isolation } from "./plugins/process/isolated-plugin.ts";
export { validatePlugin } from "./plugins/validate.ts";
export { type Backoff, backoffDelay, DEFAULT_BACKOFF } from "./queue/backoff.ts";
export {
  DEFAULT_CONCURRENCY,
  KeyedQueue,
  type QueueOptions,
  type QueueStatus,
  realTimers,
  type Timers,
} from "./queue/keyed-queue.ts";
export { findDrift, listProblem, proxyProblems } from "./reconciler/drift.ts";
export type { Reading, Readings } from "./reconciler/readings.ts";
export {
  DEFAULT_DEADLINE_MS,
  type Purpose,
  Reconciler,
  type ReconcilerOptions,
  reconcileRank,
} from "./reconciler/reconciler.ts";
export { ResyncLoop, type ResyncOptions } from "./reconciler/resync-loop.ts";
// Replay
export { Redactor } from "./redact/redactor.ts";
export { replay } from "./replay/replay.ts";
export { type ReplayResult, type Stretch, Tally } from "./replay/tally.ts";
export type { Difference, Turn } from "./replay/turn.ts";
export { verify } from "./replay/verify.ts";
export { namedPlugin, type Selection, type SelectOptions, selectBackend } from "./selection/select-backend.ts";
export { notTakenOver } from "./selection/taken-over.ts";
export { evolve } from "./state/evolve.ts";
export { addressesOf, hasSynced, interfaceOf, nodeAddresses, requestedProxies } from "./state/queries.ts";
export { fromSnapshot, toSnapshot } from "./state/snapshot.ts";
export {
  type AgentFacts,
  type Interface,
  initialState,
  type Outcome,
  type Pod,
  type Requested,
  type State,
  type Watch,
} from "./state/state.ts";
export { wantedRedirection } from "./state/wanted-redirection.ts";
export { describeProxyProblems, describeWorkload, describeWorkloads, type WorkloadStatus } from "./status/describe.ts";
// Live switch
export { MOST_FAILURES } from "./switch/evolve-switch.ts";
export { lastPlacement, targetOf } from "./switch/placement.ts";
export { type PlannedStep, planSwitch } from "./switch/plan-switch.ts";
