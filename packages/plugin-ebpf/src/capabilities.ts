export { type Capability, hasCapability } from "@millrace/host";
