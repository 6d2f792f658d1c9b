-- SPDX-License-Identifier: Apache-2.0
-- What wrk counted, as one line of JSON. It has no function that wrk calls for a request, so it costs nothing while it measures.
function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"bytes":%d,"failed":%d,"p50":%d,"p75":%d,"p99":%d}\n',
    summary.requests, summary.duration, summary.bytes, failed,
    latency:percentile(50), latency:percentile(75), latency:percentile(99)))
end
