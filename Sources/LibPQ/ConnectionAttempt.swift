import CLibPQ
import Logging
import Synchronization

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Makes one connection without blocking the shared pool.
///
/// A host that accepts the connection and never answers, or hangs up, is passed over like one that refuses it, by
/// starting again with the others. One that gave no answer is tried last by later attempts.
///
/// libpq resolves names and reads files in the middle of its connection functions, so each step runs
/// off the pool; the waits between the steps do not occupy a thread at all. When the attempt is given up
/// while such a step hangs, the step keeps the attempt alive, and the connection is closed after it.
final class ConnectionAttempt: Sendable {
    /// Where the attempt stands after a step.
    private struct Step: Sendable {
        var polling: PostgresPollingStatusType
        var status: ConnStatusType
        var descriptor: Int32
        var host: HostList.Host
        var needsPassword: Bool
        var message: String
    }

    private let configuration: PostgresConfiguration
    private let logger: Logger
    private let secrets: Secrets
    private let deadline: ContinuousClock.Instant?
    private let isCancellable: Bool
    /// Locked while a step runs, which can take long: never touched while one may be running.
    private let handle = Mutex<ConnectionHandle?>(nil)

    /// - Parameter deadline: ends the attempt earlier than the configuration does.
    /// - Throws: `invalidConfiguration` when the connection string cannot be read.
    init(
        _ configuration: PostgresConfiguration, logger: Logger, until deadline: ContinuousClock.Instant?,
        isCancellable: Bool
    ) throws {
        let options = try parsedConnectionString(configuration.connectionString)
        self.configuration = configuration
        self.logger = logger
        self.deadline = deadline
        self.isCancellable = isCancellable
        self.secrets = Secrets(connectionString: configuration.connectionString, options: options)
    }

    func run(_ readiness: Readiness) async throws -> ConnectionHandle {
        var limits = ConnectionLimits(total: configuration.connectTimeout, until: deadline, start: .now)
        let memory = configuration.hostMemory
        let order = memory.options(for: configuration.connectionString, now: .now)
        var step = try await perform(readiness, limits) { try $0.start(with: order) }
        let options = handle.withLock { $0?.options() } ?? [:]
        limits.learn(from: options)
        var hosts = HostList(options: options)
        var silence = ""

        while step.polling != PGRES_POLLING_OK {
            guard step.polling != PGRES_POLLING_FAILED else {
                guard hungUp(step), hosts.removeThrough(step.host), let others = hosts.options else {
                    throw failure(step, after: silence, options: options)
                }
                silence += step.message
                step = try await perform(readiness, limits) { try $0.start(with: others) }
                limits.leaveAddress()
                continue
            }
            limits.enter(address: step.host, now: .now)
            let interest: Readiness.Interest = step.polling == PGRES_POLLING_READING ? .readable : .writable
            let wakeup = await readiness.wait(
                for: interest, on: step.descriptor, until: limits.next, isCancellable: isCancellable)
            switch wakeup {
            case .ready, .woken: break
            case .cancelled: throw Self.cancelled
            case .deadlinePassed:
                memory.wasSilent(
                    step.host, of: configuration.connectionString, options: options, now: .now)
                guard limits.deadline > .now else { throw timedOut(silence + step.message) }
                let isKnown = hosts.remove(step.host)
                // An error on the socket of a host that has not accepted makes libpq try the next one.
                if step.status == CONNECTION_STARTED, shutdown(step.descriptor, Int32(SHUT_RDWR)) == 0 {
                    break
                }
                guard isKnown, let others = hosts.options else { throw timedOut(silence + step.message) }
                silence += step.host.silence
                step = try await perform(readiness, limits) { try $0.start(with: others) }
                limits.leaveAddress()
                continue
            }
            step = try await perform(readiness, limits) { $0.poll() }
        }
        return try finish()
    }

    /// Whether the failure is nobody's word: libpq tries the next host by itself when one refuses the connection, but not
    /// when it has accepted it.
    private func hungUp(_ step: Step) -> Bool {
        let report = ConnectionReport(step.message)
        return report.sqlState == nil && report.fault == nil && !step.needsPassword
    }

    private func perform(
        _ readiness: Readiness, _ limits: ConnectionLimits,
        _ body: @escaping @Sendable (ConnectionAttempt) throws -> Step
    ) async throws -> Step {
        let outcome = await Offload.run(readiness, until: limits.deadline, isCancellable: isCancellable) {
            Result { try body(self) }
        }
        switch outcome {
        case .finished(let step): return try step.get()
        case .cancelled: throw Self.cancelled
        case .deadlinePassed: throw timedOut("a step of libpq, such as resolving a name, did not return")
        }
    }

    /// - Parameter hosts: instead of those of the connection string.
    private func start(with hosts: [(keyword: String, value: String)] = []) throws -> Step {
        var parameters: [(keyword: String, value: String)] = []
        if let name = configuration.applicationName { parameters.append(("fallback_application_name", name)) }
        // Of two entries for one option the later wins; the connection string stands for `dbname`.
        parameters.append(("dbname", configuration.connectionString))
        parameters += hosts
        // Strings are UTF-8 here.
        parameters.append(("client_encoding", "UTF8"))
        let status = try handle.withLock { handle in
            handle = try ConnectionHandle(startingWith: parameters, logger: logger)
            return handle?.status ?? CONNECTION_BAD
        }
        return step(status == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING)
    }

    private func poll() -> Step {
        step(handle.withLock { $0?.pollConnecting() } ?? PGRES_POLLING_FAILED)
    }

    private func step(_ polling: PostgresPollingStatusType) -> Step {
        handle.withLock { handle in
            Step(
                polling: polling,
                status: handle?.status ?? CONNECTION_BAD,
                descriptor: handle?.descriptor ?? -1,
                host: handle?.host ?? HostList.Host(),
                needsPassword: handle?.needsPassword ?? false,
                message: handle?.errorMessage ?? "")
        }
    }

    private func finish() throws -> ConnectionHandle {
        guard let made = handle.withLock({ $0.take() }) else {
            throw PostgresError(.connectionFailed, "the connection is gone")
        }
        made.finishConnecting()
        setKeepAlive(of: made.descriptor, options: made.options())
        return made
    }
}

extension HostList.Host {
    /// A line in libpq's words, which forgets the host when the attempt starts again.
    fileprivate var silence: String {
        "connection to server at \"\(name ?? "")\", port \(port ?? "") failed: no answer in time\n"
    }
}

/// The errors of an attempt.
extension ConnectionAttempt {
    private static var cancelled: PostgresError {
        .cancelledBeforeSending("cancelled while connecting")
    }

    private func failure(_ step: Step, after silence: String, options: [String: String]) -> PostgresError {
        let report = ConnectionReport(silence + step.message)
        var error = PostgresError(.connectionFailed, secrets.redacted(from: report.message))
        error.sqlState = report.sqlState
        error.fault = report.sqlState == nil && secrets.mayBeCut ? .escaping : report.fault
        if report.sqlState == nil, step.needsPassword {
            error.code = .passwordMissing
        } else if report.fault?.isOfForm == true || (report.sqlState == nil && secrets.isHostCut) {
            error.code = .invalidConfiguration
            error.message = "the connection settings cannot be used: \(error.message)"
        }
        let target = ConnectionTarget(step.host, options: options)
        error.target = target.flatMap { target in
            target.parts.contains(where: secrets.occur) ? nil : target
        }
        return error
    }

    /// A connection that was not made in time has failed; `timedOut` is for statements.
    private func timedOut(_ message: String) -> PostgresError {
        let report = ConnectionReport(message)
        let reason = report.message.isEmpty ? "" : ": \(secrets.redacted(from: report.message))"
        var error = PostgresError(.connectionFailed, "timed out while connecting\(reason)")
        if secrets.mayBeCut { error.fault = .escaping }
        return error
    }
}
