import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Status } from "./status-document.ts";

/** Whether everything that is wanted was seen in the kernel, and if not, what keeps it. */
export interface Verdict {
  readonly exit: ExitCode;
  /** One phrase per reason, in the order of importance; empty when all is complete. */
  readonly complaints: readonly string[];
}

/** Judges a status: complete only when the kernel was read and every member and proxy was found whole in it. */
export function verdict(status: Status): Verdict {
  const complaints: string[] = [];
  if (status.agent.problem !== undefined) complaints.push(status.agent.problem);
  for (const { backend, waitsFor, problem } of status.earlier) {
    const because = problem ?? (waitsFor.join(", ") || "it is being removed");
    complaints.push(`redirection by ${backend}, of an earlier run, is still there: ${because}`);
  }
  if (status.observation === undefined) complaints.push("the kernel has not been read yet");
  else complaints.push(...status.observation.problems);
  complaints.push(...status.problems);
  for (const state of ["failed", "partial", "pending", "leaving"] as const) {
    const count = status.workloads.filter((workload) => workload.state === state).length;
    if (count > 0) complaints.push(`${count} ${count === 1 ? "workload" : "workloads"} ${state}`);
  }
  for (const proxy of status.proxies.filter(({ state }) => state !== "complete")) {
    complaints.push(`proxy ${proxy.namespace}/${proxy.name} ${proxy.state}`);
  }
  const enrolled = status.workloads.some(({ state }) => state === "enrolled" || state === "partial");
  if (enrolled && !status.proxies.some(({ role }) => role === "active")) {
    complaints.push(
      status.agent.failurePolicy === "closed"
        ? "no active proxy: members' new connections fail"
        : "no active proxy: members' new connections pass unproxied",
    );
  }
  return { exit: complaints.length === 0 ? EXIT.ok : EXIT.unhealthy, complaints };
}
