import { describeError } from "../logging/describe-error.ts";
import type { Finding, HostPlaces } from "./check.ts";
import { checks } from "./checks/all.ts";

/** Runs every check of the host. One that fails is a finding of its own and keeps none of the others from being made. */
export async function checkHost(places: HostPlaces): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [name, check] of checks) {
    try {
      findings.push(...(await check(places)));
    } catch (error) {
      const { code, message } = describeError(error);
      findings.push({
        name,
        state: "unknown",
        detail: `could not be checked: ${code === undefined ? "" : `${code}: `}${message}`,
      });
    }
  }
  return findings;
}
