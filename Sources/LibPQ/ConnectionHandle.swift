import CLibPQ
import Logging

/// Owns one `PGconn`; closed exactly once, when the value goes away or by ``close()``.
///
/// `@unchecked Sendable`: libpq lets any thread use a connection as long as one does at a time, and a value
/// that cannot be copied has one user at a time.
@safe struct ConnectionHandle: ~Copyable, @unchecked Sendable {
    private var pointer: OpaquePointer?
    /// Kept as long as the connection can report notices.
    private let notices: NoticeSink

    /// - Throws: `connectionFailed` when there is no memory for a connection.
    init(startingWith options: [(keyword: String, value: String)], logger: Logger) throws {
        notices = NoticeSink(logger: logger)
        let made = unsafe withCStrings(options.map(\.keyword)) { keywords in
            unsafe withCStrings(options.map(\.value)) { values in
                unsafe PQconnectStartParams(keywords, values, 1)
            }
        }
        guard let made = unsafe made else {
            throw PostgresError(.connectionFailed, "no memory for a connection")
        }
        unsafe pointer = made
        // Only the verbose form has the SQLSTATE of a refused connection.
        unsafe PQsetErrorVerbosity(made, PQERRORS_VERBOSE)
        unsafe notices.attach(to: made)
    }

    deinit {
        if let pointer = unsafe pointer { unsafe PQfinish(pointer) }
    }

    mutating func close() {
        if let pointer = unsafe pointer { unsafe PQfinish(pointer) }
        unsafe pointer = nil
    }

    // MARK: What the connection says of itself

    var isOpen: Bool { unsafe pointer != nil && PQstatus(pointer) == CONNECTION_OK }
    /// Whether the server has said that it is going to close the connection.
    var isDoomed: Bool { notices.hasFarewell }
    /// Before the connection is made: bad at once, or on its way.
    var status: ConnStatusType { unsafe PQstatus(pointer) }
    var descriptor: Int32 { unsafe PQsocket(pointer) }
    /// Where this connection goes, or tries to go at the moment; the descriptor is the same for all hosts.
    var host: HostList.Host {
        func text(_ part: UnsafeMutablePointer<CChar>?) -> String {
            unsafe part.map { unsafe String(cString: $0) } ?? ""
        }
        return unsafe HostList.Host(
            name: text(PQhost(pointer)), address: text(PQhostaddr(pointer)), port: text(PQport(pointer)))
    }
    /// Whether the server has asked for a password that nobody gave.
    var needsPassword: Bool { unsafe PQconnectionNeedsPassword(pointer) == 1 }
    var backendPID: Int32 { unsafe PQbackendPID(pointer) }
    var serverVersion: Int { Int(unsafe PQserverVersion(pointer)) }
    var transactionStatus: PGTransactionStatusType { unsafe PQtransactionStatus(pointer) }

    var errorMessage: String {
        guard let message = unsafe PQerrorMessage(pointer) else { return "" }
        return unsafe String(cString: message)
    }

    func parameterStatus(_ name: String) -> String? {
        guard let value = unsafe PQparameterStatus(pointer, name) else { return nil }
        return unsafe String(cString: value)
    }

    /// The options in force, wherever they came from: connection string, service file, environment.
    func options() -> [String: String] {
        guard let first = unsafe PQconninfo(pointer) else { return [:] }
        defer { unsafe PQconninfoFree(first) }
        return unsafe connectionOptions(from: first)
    }

    // MARK: Connecting

    /// Can block: it resolves names.
    func pollConnecting() -> PostgresPollingStatusType { unsafe PQconnectPoll(pointer) }

    /// Makes the finished connection ready for use.
    func finishConnecting() {
        _ = unsafe PQsetnonblocking(pointer, 1)
        unsafe PQsetErrorVerbosity(pointer, PQERRORS_DEFAULT)
    }

    // MARK: Sending; each returns false when the connection is broken

    func sendQuery(_ sql: String) -> Bool { unsafe PQsendQuery(pointer, sql) == 1 }

    func sendQuery(_ sql: String, _ parameters: borrowing BoundParameters, binaryResult: Bool) -> Bool {
        unsafe parameters.withPointers { types, values, lengths, formats in
            unsafe PQsendQueryParams(
                pointer, sql, Int32(parameters.count), types, values, lengths, formats, binaryResult ? 1 : 0)
                == 1
        }
    }

    func sendPrepare(_ name: String, _ sql: String, types: [UInt32]) -> Bool {
        unsafe types.withUnsafeBufferPointer { types in
            unsafe PQsendPrepare(pointer, name, sql, Int32(types.count), types.baseAddress) == 1
        }
    }

    func sendDescribe(_ name: String) -> Bool { unsafe PQsendDescribePrepared(pointer, name) == 1 }

    func sendPrepared(_ name: String, _ parameters: borrowing BoundParameters, binaryResult: Bool) -> Bool {
        unsafe parameters.withPointers { _, values, lengths, formats in
            unsafe PQsendQueryPrepared(
                pointer, name, Int32(parameters.count), values, lengths, formats, binaryResult ? 1 : 0) == 1
        }
    }

    // MARK: Receiving

    /// 0 when everything is sent, 1 when the socket must become writable first, -1 when broken.
    func flush() -> Int32 { unsafe PQflush(pointer) }

    /// Reads what is there without waiting; false when the connection is broken.
    func consumeInput() -> Bool { unsafe PQconsumeInput(pointer) == 1 }

    var isBusy: Bool { unsafe PQisBusy(pointer) == 1 }

    /// The next result of the statement in flight, nil after the last one.
    func nextResult(columns: SQLColumns?) -> SQLResult? {
        guard let result = unsafe PQgetResult(pointer) else { return nil }
        return unsafe SQLResult(adopting: result, columns: columns)
    }

    func nextNotification() -> PostgresNotification? {
        guard let notify = unsafe PQnotifies(pointer) else { return nil }
        defer { unsafe PQfreemem(notify) }
        return unsafe PostgresNotification(
            channel: String(cString: notify.pointee.relname),
            payload: String(cString: notify.pointee.extra),
            backendPID: notify.pointee.be_pid)
    }

    func makeCancelRequest() -> CancelRequest? {
        guard let cancel = unsafe PQgetCancel(pointer) else { return nil }
        return unsafe CancelRequest(adopting: cancel)
    }
}

/// What is needed to ask the server to cancel a connection's statement, apart from the connection.
///
/// `@unchecked Sendable`: libpq never changes it, and cancelling from any thread is its purpose.
@safe final class CancelRequest: @unchecked Sendable {
    private let pointer: OpaquePointer

    fileprivate init(adopting pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit {
        unsafe PQfreeCancel(pointer)
    }

    /// Blocks until the server has taken the request; false when it could not be delivered.
    func send() -> Bool {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            unsafe PQcancel(pointer, buffer.baseAddress, Int32(buffer.count)) == 1
        }
    }
}
