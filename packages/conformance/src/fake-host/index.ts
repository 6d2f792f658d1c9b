export { type FakeContextOptions, fakeContext, type LoggedLine } from "./fake-context.ts";
export { FakeHost, type FakeHostOptions, type FakeProgram, type HostCall, NODE_NETNS } from "./fake-host.ts";
