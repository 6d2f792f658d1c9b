// What a backend is written against. A change here is one of the public API: `make api-report`, and a changeset.

// The backend contract
export type * from "./backend/contract.ts";
export { definePlugin, PLUGIN_API_VERSION, type Plugin } from "./backend/define-plugin.ts";
// Why a packet goes where it goes
export type * from "./backend/explanation.ts";
// What a backend would do, and what a shadow of it sees
export type * from "./backend/shadow.ts";
// What proves an uninstall
export type { NamespacePlace, Trace } from "./backend/traces.ts";
