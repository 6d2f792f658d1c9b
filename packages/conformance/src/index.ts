// The lab

// The agent
export { Agent, type AgentOptions, cleanEnvironment, MILLRACE_COMMAND, type Tracer } from "./agent/agent.ts";
export { AgentLogs } from "./agent/agent-logs.ts";
export { accountSince, describeAccount, isAgent, type LogAccount, noteOfLog } from "./agent/log-account.ts";
export { type AgentStatus, readStatus } from "./agent/status.ts";
// The behaviours, and running them
export { behaviours } from "./behaviours/index.ts";
// Errors
export { LAB_ERRORS, LabError, type LabErrorCode } from "./errors.ts";
export * from "./lab/addresses.ts";
export { type ExternalOptions, Lab, type LabOptions, type NodeOptions, proxyPod } from "./lab/lab.ts";
export { LabHost } from "./lab/lab-host.ts";
export { LabNode, type NodePaths } from "./lab/lab-node.ts";
export { LabPod, type PodOptions } from "./lab/lab-pod.ts";
export {
  type Manifest,
  namespaceManifest,
  nodeManifest,
  type PodManifestOptions,
  podManifest,
} from "./lab/manifests.ts";
export { Namespace } from "./lab/namespace.ts";
export { SERVICE_MODES, type ServiceMode, type ServiceRule, ServiceTable } from "./lab/services.ts";
// Programs
export { type CommandOptions, type Finished, run, runChecked } from "./programs/command.ts";
export type * from "./programs/endpoint/protocol.ts";
export { Endpoint } from "./programs/endpoint.ts";
export { Haproxy, type HaproxyOptions, haproxyBinary, type RecordFilter } from "./programs/haproxy.ts";
export { HBONE_SINK_PORT, PROXY_PORTS } from "./programs/haproxy-config.ts";
export { describeRecord, type ProxyRecord, parseProxyRecord } from "./programs/haproxy-log.ts";
export { Program, type ProgramOptions } from "./programs/program.ts";
export {
  buildReport,
  NUMBERED,
  type Report,
  renderResult,
  renderSummary,
  renderTable,
  type Subject,
} from "./report/report.ts";
export { soon, within } from "./slow.ts";
// State of the kernel as text
export { compareSnapshots, printSnapshot, type Snapshot, snapshot } from "./snapshot/snapshot.ts";
export { type Behaviour, defineBehaviour, type Temperature, type Trial } from "./suite/behaviour.ts";
export { DIFFERENCES, type Difference, type DifferenceId, renderDifferences } from "./suite/differences.ts";
export { countEscapes } from "./suite/escapes.ts";
export { Expect } from "./suite/expect.ts";
export { countPackets, type PacketCounter } from "./suite/packet-counter.ts";
export {
  type Case,
  type NotApplicable,
  runSuite,
  Suite,
  type SuiteOptions,
  type SuiteOutcome,
  type TrialResult,
  type Unclaimed,
} from "./suite/run.ts";
export { SteadyDialling } from "./suite/steady-dialling.ts";
export { Testbed, type TestbedOptions } from "./suite/testbed.ts";
export { type TunnelUse, tunnelsOf } from "./suite/tunnels.ts";
