import { subjects } from "@millrace/core/internal";
import type { CniEngine } from "@millrace/watchers";
import type { KernelView } from "../status/kernel-view.ts";
import type { EnginePart } from "./engine-part.ts";
import type { ReconcilingPart } from "./reconciling-part.ts";

/** Answers the CNI socket out of the engine and the kernel. */
export function cniEngine(engine: EnginePart, reconciling: ReconcilingPart, view: KernelView): CniEngine {
  return {
    enrolment: (uid, signal) => engine.engine.enrolment(uid, signal),

    async check(uid) {
      if (engine.engine.state.requested.get(subjects.workload(uid))?.action !== "apply") return [];
      await reconciling.observe();
      const found = view.workload(uid);
      if (found === undefined) return ["the kernel holds nothing of its redirection"];
      const shadows = found.foreign.map(({ kind, where, owner }) => `foreign ${kind} at ${where} of ${owner}`);
      return found.state === "complete" ? [] : [...found.problems, ...shadows];
    },

    attachment(containerId) {
      const found = engine.engine.state.interfaces.get(containerId);
      return found?.source === "cni" ? found : undefined;
    },

    attachments: () => [...engine.engine.state.interfaces.values()].filter(({ source }) => source === "cni"),

    // The socket is opened last and closed first: while it answers, an ADD would work.
    status: () => undefined,
  };
}
