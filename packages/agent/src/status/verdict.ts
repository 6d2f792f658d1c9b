import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Status } from "./status-document.ts";
import { describeUnread } from "./unread.ts";

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
  if (status.switch?.state === "under way" && (status.switch.remaining ?? 0) > 0) {
    const { from, to, moved, remaining, failure } = status.switch;
    const because = failure === undefined ? "" : `, because of ${failure}`;
    complaints.push(`switch from ${from} to ${to} is under way: ${moved} moved, ${remaining} to go${because}`);
  }
  const unread = describeUnread(status);
  if (unread !== undefined) complaints.push(unread);
  complaints.push(...(status.observation?.problems ?? []));
  complaints.push(...status.problems);
  for (const state of ["failed", "partial", "unseen", "pending", "leaving"] as const) {
    const count = status.workloads.filter((workload) => workload.state === state).length;
    if (count > 0) complaints.push(`${count} ${count === 1 ? "workload" : "workloads"} ${state}`);
  }
  for (const proxy of status.proxies.filter(({ state }) => state !== "complete")) {
    complaints.push(`proxy ${proxy.namespace}/${proxy.name} ${proxy.state}`);
  }
  const enrolled = status.workloads.some(({ state }) => ["enrolled", "partial", "unseen"].includes(state));
  if (enrolled && !status.proxies.some(({ role }) => role === "active")) {
    complaints.push(
      status.agent.failurePolicy === "closed"
        ? "no active proxy: members' new connections fail"
        : "no active proxy: members' new connections pass unproxied",
    );
  }
  return { exit: complaints.length === 0 ? EXIT.ok : EXIT.unhealthy, complaints };
}
