import { CoreError } from "../errors.ts";

/**
 * Version of the event log: of its table, and of the data in its rows. A row says which version it was written by; an older one is
 * upgraded on reading, step by step, and never rewritten. A newer one is refused.
 */
export const LOG_SCHEMA_VERSION = 2;

type Members = Record<string, unknown>;
/** From one version to the next. What a version did not know is said as it was meant then; what is not of the expected shape is left to validation. */
type Step = (type: string, data: unknown) => unknown;

/** The step at index n leads from version n + 1 to n + 2. */
const STEPS: readonly Step[] = [dnsCaptureAndExclusions];

/** `data` of a row of version `from`, as the present version would have written it. Throws ERR_LOG_NEWER_SCHEMA. */
export function upgradeData(type: string, data: unknown, from: number): unknown {
  if (from > LOG_SCHEMA_VERSION) {
    throw new CoreError(
      "ERR_LOG_NEWER_SCHEMA",
      `the log has rows of schema version ${from}, this version of Millrace knows ${LOG_SCHEMA_VERSION}. ` +
        "Use the version that wrote it.",
    );
  }
  return STEPS.slice(from - 1).reduce((older, step) => step(type, older), data);
}

/** Version 1 was written by agents with and without these two. Those without captured no DNS and excluded nothing. */
function dnsCaptureAndExclusions(type: string, data: unknown): unknown {
  const config = (value: unknown) => withDefaults(value, { dnsCapture: false });
  const spec = (value: unknown) =>
    withDefaults(value, {
      dnsCapture: false,
      exclusions: { outboundPorts: [], outboundCidrs: [], inboundPorts: [], inboundCidrs: [] },
    });
  const intent = (value: unknown) =>
    isMembers(value) && value.action === "apply" ? changed(value, "spec", spec) : value;
  switch (type) {
    case "agent.started":
      return changed(data, "config", config);
    case "redirection.requested":
      return intent(data);
    case "state.snapshot":
      return changed(
        changed(data, "agent", (agent) => changed(agent, "config", config)),
        "requested",
        (list) => (Array.isArray(list) ? list.map(intent) : list),
      );
    default:
      return data;
  }
}

function withDefaults(value: unknown, defaults: Members): unknown {
  return isMembers(value) ? { ...defaults, ...value } : value;
}

/** With one member changed, if it is there. */
function changed(value: unknown, member: string, change: (value: unknown) => unknown): unknown {
  return isMembers(value) && member in value ? { ...value, [member]: change(value[member]) } : value;
}

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
