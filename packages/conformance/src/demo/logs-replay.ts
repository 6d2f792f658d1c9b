import { accountSince, describeAccount } from "../agent/log-account.ts";
import { expect, type Scenario } from "./scenario.ts";

/** What the agents of the demo have logged, as the end of the lab found it: `failure` is what it threw. */
export function logsReplay(failure: Error | undefined): Scenario {
  return {
    name: "logs-replay",
    title: "what the agents have logged is decided again from it, byte for byte",
    show: async () => {
      expect(failure === undefined, failure?.message ?? "");
      const account = accountSince(0);
      expect(account.missing === 0, describeAccount(account));
      return [describeAccount(account)];
    },
  };
}
