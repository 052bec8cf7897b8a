import CLibPQ
import Logging
import Synchronization

/// Takes the notices of a connection, which libpq would otherwise print to standard error.
final class NoticeSink: Sendable {
    private let logger: Logger
    private let farewell = Atomic<Bool>(false)

    /// Whether the server has announced the end of the connection while no statement was running.
    ///
    /// The announcement can arrive well before the end itself.
    var hasFarewell: Bool { farewell.load(ordering: .acquiring) }

    init(logger: Logger) {
        self.logger = logger
    }

    /// The caller keeps the sink alive as long as the connection.
    func attach(to connection: OpaquePointer) {
        _ = unsafe PQsetNoticeReceiver(
            connection,
            { context, report in
                guard let context = unsafe context, let report = unsafe report else { return }
                let sink = unsafe Unmanaged<NoticeSink>.fromOpaque(context).takeUnretainedValue()
                sink.receive(unsafe PostgresError(code: .server, report: report))
            },
            unsafe Unmanaged.passUnretained(self).toOpaque())
    }

    private func receive(_ notice: PostgresError) {
        if notice.severity == "FATAL" || notice.sqlState?.hasPrefix("57P") == true {
            farewell.store(true, ordering: .releasing)
        }
        logger.debug(
            "notice from the server",
            metadata: [
                "sql.severity": "\(notice.severity ?? "")",
                "sql.state": "\(notice.sqlState ?? "")",
                "sql.message": "\(notice.message)",
            ])
    }
}
