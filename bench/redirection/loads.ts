/** What a client asks for, and how it is counted. */
export interface Load {
  readonly name: string;
  readonly tool: "wrk" | "fortio";
  readonly connections: number;
  /** Of a response's body. */
  readonly bytes: number;
  /** A new connection for each request. */
  readonly isClosing?: boolean;
  /** Requests a second that are asked for; without it, as many as there can be. */
  readonly qps?: number;
  /** What is compared. */
  readonly figure: Figure;
}

export const FIGURES = {
  rate: "requests/s",
  connections: "connections/s",
  bulk: "MB/s",
  p75: "P75 in ms",
} as const;
export type Figure = keyof typeof FIGURES;

/** How many connections the field's charts go through. */
export const CONNECTIONS = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;
/** What the field asks for where it compares latencies. */
export const LATENCY_QPS = 8_000;
/** At how many connections the ratios of latencies are taken. */
export const LATENCY_CONNECTIONS = 16;

export const HTTP: Load = { name: "http", tool: "wrk", connections: 16, bytes: 128, figure: "rate" };
export const BULK: Load = { name: "bulk", tool: "wrk", connections: 4, bytes: 1 << 20, figure: "bulk" };
export const CONNECT: Load = {
  name: "connect",
  tool: "wrk",
  connections: 16,
  bytes: 128,
  isClosing: true,
  figure: "connections",
};
/** One connection, one request at a time: its rate is one over the time there and back. */
export const ROUND_TRIP: Load = { name: "round-trip", tool: "wrk", connections: 1, bytes: 1, figure: "rate" };

/** `fortio load -uniform -qps 0 -c N` */
export const maxQps = (connections: number): Load => ({
  name: `max-qps-${connections}`,
  tool: "fortio",
  connections,
  bytes: 128,
  figure: "rate",
});

/** `fortio load -uniform -qps 8000 -c N` */
export const latency = (connections: number): Load => ({
  name: `p75-${connections}`,
  tool: "fortio",
  connections,
  bytes: 128,
  qps: LATENCY_QPS,
  figure: "p75",
});
