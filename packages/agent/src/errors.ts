import { EXIT, type ExitCode } from "./exit-codes.ts";

interface ErrorKind {
  readonly exit: ExitCode;
  /** What to do about it, printed under the message. */
  readonly hint: string;
}

/** Every failure the command itself can report. Codes are stable; the messages that go with them are not. */
const KINDS = {
  ERR_AGENT_RUNNING: {
    exit: EXIT.conflict,
    hint: "One agent serves a node. `millrace status` shows the one that runs; stop it first, or give this one places of its own.",
  },
  ERR_AGENT_NOT_RUNNING: {
    exit: EXIT.notRunning,
    hint: "Redirection goes on without an agent. Start it with `millrace agent`; `millrace log` reads the event log meanwhile.",
  },
  ERR_AGENT_STUCK: {
    exit: EXIT.notRunning,
    hint: "The agent may be stuck: see its log. If that tells nothing, restart it; redirection goes on meanwhile.",
  },
  ERR_SOCKET_IN_USE: {
    exit: EXIT.conflict,
    hint: "An agent may be stuck there: `ss -xlp` names the process. Stop it first, or give this one places of its own.",
  },
  ERR_SOCKET_PATH: {
    exit: EXIT.usage,
    hint: "It was left alone. Remove it, or name another place with --sockets-admin.",
  },
  ERR_HTTP_PORT: {
    exit: EXIT.conflict,
    hint: "`ss -ltnp` names the process. Stop it, or give this agent another port with --http-port; the probes of its pod must ask there too.",
  },
  ERR_HTTP_ADDRESS: {
    exit: EXIT.usage,
    hint: "`ip address` lists those of the node. Leave --http-address out to take all of them.",
  },
  ERR_LOCK_PATH: {
    exit: EXIT.usage,
    hint: "It was left alone. Remove it, or name other places: a lock is beside the admin socket (--sockets-admin), another is the journal (--paths-journal).",
  },
  ERR_AMBIENT_CONFIG_PATH: {
    exit: EXIT.usage,
    hint: "It was left alone. Move it away, or name another place with --paths-ambient-config.",
  },
  ERR_AGENT_ANSWER: {
    exit: EXIT.unexpected,
    hint: "The agent and this command may be of different versions: compare `millrace version` with the agent's log.",
  },
  ERR_OUTPUT: {
    exit: EXIT.unexpected,
    hint: "What was printed is not complete. Is there room where standard output goes?",
  },
  ERR_NOT_PERMITTED: {
    exit: EXIT.notCapable,
    hint: "Run as root, or with the capabilities that `millrace doctor` lists.",
  },
  ERR_EARLIER_REDIRECTION: {
    exit: EXIT.notCapable,
    hint:
      "Members stay captured by it meanwhile. Give it back what it lacks, name it by redirectMode, or let `millrace uninstall` remove " +
      "it where it can run; after a reboot nothing of it is left.",
  },
  ERR_FLOW_INVALID: {
    exit: EXIT.usage,
    hint: "`millrace explain --help` has examples.",
  },
  ERR_POD_UNKNOWN: {
    exit: EXIT.usage,
    hint: "Give it as namespace/name or by its uid; `millrace status` lists the pods of this node.",
  },
  ERR_CAPTURE_NETNS: {
    exit: EXIT.usage,
    hint: "Is the pod still there, and not one of the node's own network? Run it on the node itself, in its PID and network namespaces.",
  },
  ERR_CAPTURE_FILE: {
    exit: EXIT.usage,
    hint: "Give another file with -w, or - to write to standard output, for instance into tcpdump -nnr -.",
  },
  ERR_SWITCH_REFUSED: {
    exit: EXIT.conflict,
    hint: "Nothing was changed. `millrace status` shows what serves, and what is under way.",
  },
  ERR_SWITCH_FAILED: {
    exit: EXIT.unhealthy,
    hint: "What had moved has gone back, or is going back: see `millrace status`. `millrace log` has every step.",
  },
  ERR_SWITCH_WOULD_FAIL: {
    exit: EXIT.unhealthy,
    hint: "Nothing was changed. Mend what is named first, or move other pods by --pod.",
  },
  ERR_NO_EVENT_LOG: {
    exit: EXIT.usage,
    hint: "Has an agent run here? Give the log's place with --event-log-path, or the agent's configuration with --config.",
  },
  ERR_ACCEPT_LOG: {
    exit: EXIT.usage,
    hint: "Export it first: millrace log export --event-log-path FILE > incident.jsonl",
  },
  ERR_ACCEPT_INCOMPLETE: {
    exit: EXIT.usage,
    hint: "What was decided about a log with holes cannot be recorded. Export it again, or start at a snapshot.",
  },
  ERR_EXPORT_SINCE: {
    exit: EXIT.usage,
    hint: "Give the number of an event, a time such as 2026-01-02T03:04:05Z, or how long before the newest event: 30m, 2h, 1d.",
  },
} as const satisfies Record<string, ErrorKind>;

export type AgentErrorCode = keyof typeof KINDS;
export const AGENT_ERROR_CODES = Object.keys(KINDS) as readonly AgentErrorCode[];

export function isAgentErrorCode(code: string): code is AgentErrorCode {
  return Object.hasOwn(KINDS, code);
}

/** A failure with a stable code, an exit code and a next step. */
export class AgentError extends Error {
  readonly code: AgentErrorCode;
  readonly exit: ExitCode;
  readonly hint: string;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AgentError";
    this.code = code;
    this.exit = KINDS[code].exit;
    this.hint = KINDS[code].hint;
  }
}
