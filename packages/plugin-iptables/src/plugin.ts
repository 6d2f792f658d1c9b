import { definePlugin } from "@millrace/core";
import { IptablesBackend } from "./backend.ts";
import { configSchema } from "./config.ts";

export const iptables = definePlugin({
  name: "iptables",
  description: "packet marks, policy routing and a tunnel to the node proxy",
  apiVersion: 1,
  config: configSchema,
  create: (context) => new IptablesBackend(context),
});
