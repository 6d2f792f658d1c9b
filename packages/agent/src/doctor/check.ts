/**
 * - `good`: as it should be
 * - `note`: a fact to know; nothing to do
 * - `warn`: may break redirection, or be broken by it
 * - `bad`: redirection cannot work like this
 * - `unknown`: could not be found out; `detail` says why
 */
export type CheckState = "good" | "note" | "warn" | "bad" | "unknown";

/** One thing found out about the host, beyond what the backends probe themselves. */
export interface Finding {
  /** Stable short name, for instance `rp_filter`. */
  readonly name: string;
  readonly state: CheckState;
  readonly detail: string;
}

/** Where things are on this host. */
export interface HostPlaces {
  readonly bpffs: string;
  readonly adminSocket: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** What the installer of the CNI plugin says of itself. */
  readonly installState: string;
}

/** Looks at one side of the host and changes nothing. */
export type Check = (places: HostPlaces) => readonly Finding[] | Promise<readonly Finding[]>;
