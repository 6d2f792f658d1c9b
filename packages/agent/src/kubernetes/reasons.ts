/** Every reason of an Event that the agent tells, with its type and what was being done; docs/operating.md says what to do about each. */
export const REASONS = {
  EnrolmentFailed: { type: "Warning", action: "Enrol" },
  EnrolmentPending: { type: "Warning", action: "Enrol" },
  PartlyRedirected: { type: "Warning", action: "Redirect" },
  RedirectionDrifted: { type: "Warning", action: "Redirect" },
  RemovalFailed: { type: "Warning", action: "Unenrol" },
  Redirected: { type: "Normal", action: "Redirect" },
  RedirectionUnavailable: { type: "Warning", action: "Redirect" },
  KernelUnread: { type: "Warning", action: "Observe" },
  NodeProxyMissing: { type: "Warning", action: "SelectProxy" },
  CniPluginNotInstalled: { type: "Warning", action: "Install" },
  CniConfigurationMended: { type: "Warning", action: "Install" },
  EventLogFailing: { type: "Warning", action: "Log" },
  Recovered: { type: "Normal", action: "Recover" },
} as const satisfies Record<string, { readonly type: "Normal" | "Warning"; readonly action: string }>;

export type Reason = keyof typeof REASONS;
