// Parses an entry of Kafka's log, "[time] LEVEL message (logger)" with an optional stack trace, into the fields of docs/logs.
// For Filebeat's script processor, which supports ECMAScript 5.
var levels = {TRACE: "debug", DEBUG: "debug", INFO: "info", WARN: "warning", ERROR: "error", FATAL: "critical"};
var form = /^\[([^\]]+)\] ([A-Z]+) ([\s\S]*?) \(([\w.$]+)\)(?:\n([\s\S]*))?$/;

function process(event) {
  event.Put("service.name", "kafka");
  event.Put("event.dataset", "kafka.brokers");
  event.Put("data_stream.type", "logs");
  event.Put("data_stream.dataset", "kafka.brokers");
  event.Put("data_stream.namespace", "default");
  var match = form.exec(event.Get("message"));
  if (match === null || !levels[match[2]]) {
    event.Put("log.level", "warning");
    event.Put("log.flags", ["unparsed"]);
    event.Put("message", event.Get("message").slice(0, 1000));
    return;
  }
  event.Put("kafka.time", match[1]);
  event.Put("log.level", levels[match[2]]);
  event.Put("log.logger", match[4].slice(0, 200));
  event.Put("message", match[3].slice(0, 1000));
  if (match[5]) {
    event.Put("error.type", match[5].split(/[:\n]/)[0].slice(0, 200));
    event.Put("error.stack_trace", match[5].slice(0, 8000));
  }
}
