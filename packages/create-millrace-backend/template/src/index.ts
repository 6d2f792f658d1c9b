import { definePlugin } from "@millrace/core";
import { runProgram } from "@millrace/core/host";
import { z } from "zod";
import { MyRedirection } from "./redirection.ts";

export default definePlugin({
  name: "__NAME__",
  description: "a backend that captures what members send, by nftables",
  apiVersion: 1,
  // The part of the agent's configuration below `backends.__NAME__`.
  config: z.strictObject({}).prefault({}),
  // What it shows by now. Take the next behaviour, add its id, and run `npm run conformance`.
  claims: ["outbound-tcp"],
  create: () => ({
    // Finds out what this host can do by trying it, and changes nothing.
    probe: async () => {
      const summary = await runProgram(["nft", "--version"]).then(
        (printed) => printed.trim(),
        (error: Error) => error.message,
      );
      const available = summary.startsWith("nftables ");
      const feature = { name: "nft", description: "nftables' program", required: true, available, detail: summary };
      return { features: [feature], capable: available, summary };
    },
    open: async () => new MyRedirection(runProgram),
  }),
});
