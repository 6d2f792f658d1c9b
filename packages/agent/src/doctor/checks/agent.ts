import { errorCode } from "@millrace/core/internal";
import { AdminClient } from "../../admin/admin-client.ts";
import type { Status } from "../../status/status-document.ts";
import { verdict } from "../../status/verdict.ts";
import type { Check, Finding } from "../check.ts";

const name = "agent";

/** What the agent of this node says of itself. `status`: undefined where none runs. */
export function agentFinding(status: Status | undefined): Finding {
  if (status === undefined) return { name, state: "note", detail: "none runs here" };
  const { complaints } = verdict(status);
  if (complaints.length > 0) return { name, state: "warn", detail: complaints.join("; ") };
  const enrolled = status.workloads.filter(({ state }) => state === "enrolled").length;
  return { name, state: "good", detail: `${enrolled} enrolled, as the kernel had it at ${status.observation?.time}` };
}

export const agent: Check = async ({ adminSocket }) => [agentFinding(await statusAt(adminSocket))];

async function statusAt(path: string): Promise<Status | undefined> {
  try {
    return await new AdminClient(path).status();
  } catch (error) {
    if (errorCode(error) === "ERR_AGENT_NOT_RUNNING") return undefined;
    throw error;
  }
}
