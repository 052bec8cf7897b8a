#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Runs the body of a program; if it throws, prints the error as one line to standard error and exits with
/// ``AbsurdError/exitCode``.
///
/// For the top level of a program only: Swift itself reports an error thrown there as a crash.
///
/// ```swift
/// await exitingOnError {
///     try await ServiceGroup(services: [client, pool], logger: logger).run()
/// }
/// ```
public func exitingOnError(_ body: () async throws -> Void) async {
    do {
        try await body()
    } catch {
        let line = Array("error: \(error)\n".utf8)
        // Nothing is left to do if standard error is closed.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit((error as? AbsurdError)?.exitCode ?? 1)
    }
}

extension AbsurdError {
    /// The exit status of a program that this error ends: 2 for what the caller must correct, 3 when the database is
    /// out of reach, 4 when the database lacks something, 5 when the task or run is not in the right state, 1 else.
    public var exitCode: Int32 {
        switch code {
        case .invalidArgument, .invalidConfiguration, .duplicateHandler, .unencodable, .undecodable,
            .rejected:
            2
        case .connectionFailed, .connectionLost, .authenticationFailed, .databaseMissing, .timedOut: 3
        case .schemaMissing, .schemaOutdated, .queueMissing, .privilegeMissing: 4
        case .taskMissing, .taskNotFailed, .taskCancelled, .runFailed, .claimLost: 5
        default: 1
        }
    }
}
