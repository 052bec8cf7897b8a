// One worker process of a measurement.
//
//     MeasuredWorker three-steps|rounds|recovery|chaos|shutdown|empty QUEUE
//
// The database is that of ABSURD_DATABASE_URL. The program that measures talks to it through the standard streams,
// one line a message; at the end of its input the worker stops gracefully. The workload `shutdown` heeds SIGTERM instead.
import Absurd
import Logging

let arguments = CommandLine.arguments
guard arguments.count == 3, let workload = Workload(rawValue: arguments[1]) else {
    preconditionFailure(
        "usage: MeasuredWorker \(Workload.allCases.map(\.rawValue).joined(separator: "|")) QUEUE")
}
let console = Console()
var logger = Logger(label: "measured-worker") { StreamLogHandler.standardError(label: $0) }
logger.logLevel = .warning

var configuration = AbsurdConfiguration.environment()
configuration.maxConnections = workload.connections
configuration.statementTimeout = workload.statementTimeout
configuration.connectTimeout = workload.connectTimeout
let client = try AbsurdClient(configuration, logger: logger)
let pool = try WorkerPool(
    client, queue: arguments[2], handlers: workload.handlers(client, queue: arguments[2], console),
    options: workload.options)
if workload == .shutdown {
    try await serveUntilSignalled(pool, client, console, logger)
} else {
    try await serve(pool, client, console)
    await client.close()
}
