import type { EbpfConfig } from "./config.ts";

/** Sizes of maps that the configuration decides, by map name. */
export const sizesOf = (config: EbpfConfig): Readonly<Record<string, number>> => ({
  workloads: config.maxWorkloads,
  members: config.maxMembers,
  addresses: config.maxAddresses,
  excluded_ports: config.maxExclusions,
  excluded_networks: config.maxExclusions,
});
