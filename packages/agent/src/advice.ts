import { AgentError } from "./errors.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";

/** What an error means to the person at the shell. */
export interface Advice {
  /** Code of the error that explains the failure; absent when none of them does. */
  readonly code?: string;
  readonly exit: ExitCode;
  /** What to do about it. */
  readonly hint?: string;
}

const DOCTOR = "`millrace doctor` shows what this host has and lacks.";
const NOT_ROOT = "Run as root; `millrace doctor` shows which permission is missing.";

/** What the errors of the other packages mean to the person at the shell. Everything else is unexpected. */
const ADVICE: Readonly<Record<string, Advice>> = {
  ERR_CONFIG_INVALID: { exit: EXIT.usage, hint: "`millrace agent --help` lists every setting." },
  ERR_CONFIG_UNREADABLE: {
    exit: EXIT.usage,
    hint: "Name another file with --config, or leave it out for the defaults.",
  },
  ERR_REDIRECT_MODE_UNKNOWN: { exit: EXIT.usage, hint: "`millrace doctor` lists the backends that are installed." },
  ERR_PLUGIN_NOT_FOUND: {
    exit: EXIT.usage,
    hint: "Check `plugins` in the configuration: package names or paths of modules.",
  },
  ERR_PLUGIN_INVALID: { exit: EXIT.usage },
  ERR_PLUGIN_CONFIG_INVALID: { exit: EXIT.usage, hint: "Check `backends` in the configuration." },
  ERR_PLUGIN_DUPLICATE: { exit: EXIT.usage },
  ERR_LOG_NEWER_SCHEMA: {
    exit: EXIT.usage,
    hint: "Use the version that wrote it, or give another file with --event-log-path.",
  },
  ERR_LOG_FOREIGN: { exit: EXIT.usage },
  ERR_LOG_UNREADABLE: {
    exit: EXIT.usage,
    hint: "Give another file with --event-log-path; an agent makes a new log by itself.",
  },
  ERR_NO_CAPABLE_BACKEND: { exit: EXIT.notCapable, hint: DOCTOR },
  ERR_BPFFS_MISSING: {
    exit: EXIT.notCapable,
    hint: "Mount it: mount -t bpf bpf /sys/fs/bpf, or name its place with --paths-bpffs.",
  },
  ERR_BPFFS_READ_ONLY: { exit: EXIT.notCapable },
  ERR_BPF_UNSUPPORTED: { exit: EXIT.notCapable, hint: DOCTOR },
  ERR_EVENTS_UNAVAILABLE: { exit: EXIT.notCapable, hint: "`millrace status` says which backend redirects." },
  ERR_EVENTS_IN_USE: { exit: EXIT.conflict },
  ERR_ATTACH_UNSUPPORTED: { exit: EXIT.notCapable, hint: DOCTOR },
  ERR_NO_FLAVOUR: { exit: EXIT.notCapable, hint: DOCTOR },
  ERR_NO_TUNNEL: { exit: EXIT.notCapable, hint: DOCTOR },
  ERR_NO_PORT: {
    exit: EXIT.notCapable,
    hint: "Give another first port: `backends.iptables.port` in the configuration.",
  },
  ERR_COMMAND_MISSING: { exit: EXIT.notCapable, hint: DOCTOR },
  ERR_CLASH: {
    exit: EXIT.notCapable,
    hint: "Nothing was written. Give other numbers or names in `backends.iptables` in the configuration.",
  },
  ERR_NOT_PERMITTED: { exit: EXIT.notCapable, hint: NOT_ROOT },
  ERR_INSTALLER_RUNNING: {
    exit: EXIT.conflict,
    hint: "One installer serves a node, usually in the agent's pod: stop it first, or let it do the work.",
  },
  ERR_SOCKET_PATH: { exit: EXIT.usage },
  ERR_SOCKET_IN_USE: { exit: EXIT.conflict },
  EACCES: { exit: EXIT.notCapable, hint: NOT_ROOT },
  EPERM: { exit: EXIT.notCapable, hint: NOT_ROOT },
  ENOSPC: {
    exit: EXIT.unexpected,
    hint: "Nothing more can be written there: make room, or send the output elsewhere.",
  },
  EROFS: { exit: EXIT.notCapable },
};

/** The first error along the chain of causes that we have advice for: a start that failed wraps what made it fail. */
export function adviceFor(error: unknown): Advice {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current instanceof AgentError) return current;
    const code = (current as { code?: unknown }).code;
    const advice = typeof code === "string" ? ADVICE[code] : undefined;
    if (advice !== undefined) return { code: code as string, ...advice };
  }
  return { exit: EXIT.unexpected, hint: "This was not foreseen. Run it again with --debug and report what it prints." };
}
