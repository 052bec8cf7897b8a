import Absurd
import TestSupport
import Testing

/// Connection strings that nobody should pass: a clear error from the first call, never a crash.
@Suite(.timeLimit(.minutes(10)))
struct ConnectionStringBadInputTests {
    private static let strings = [
        "x", "x=", "=", "host=/nowhere dbname='", "host=/nowhere dbname=\\", "host=/nowhere nonsense=1",
        "host=/nowhere port=99999999", "host=/nowhere port=-1", "host=/nowhere port=x",
        "host=/nowhere\u{0}", "host=/nowhere dbname=a\u{0}b", "host=/nowhere sslmode=perhaps",
        "host=/nowhere connect_timeout=-5", "host=/nowhere connect_timeout=99999999999999999999",
        "host=/nowhere target_session_attrs=best", "host=/nowhere options='-c a=b", "host='",
        "host=\(String(repeating: "x", count: 10_000))", "host=/\(String(repeating: "x", count: 10_000))",
        "postgresql://%zz", "postgresql://[::1", "postgresql://%2Fnowhere/x?nonsense=1",
        "postgresql://%2Fnowhere/%00", "postgres://a:b:c@/x?host=/nowhere&port=abc", "http://example.org",
        "host=/nowhere,/neither port=1,2,3", "service=none", "host=/nowhere passfile=/none\nuser=x",
        "host=/nowhere 😀=1", "host=/nowhere client_encoding=NONE",
    ]

    private static let codes: Set<AbsurdError.Code> = [
        .invalidConfiguration, .connectionFailed, .authenticationFailed, .timedOut,
    ]

    @Test(arguments: strings) func `a bad connection string is told from a server that is away, or is one`(
        _ string: String
    ) async throws {
        var configuration = AbsurdConfiguration(string)
        configuration.connectTimeout = .seconds(1)
        let error = await #expect(throws: AbsurdError.self, "\(string.prefix(60).debugDescription)") {
            let client = try AbsurdClient(configuration, logger: .quiet)
            do { _ = try await client.queues() } catch {
                await client.close()
                throw error
            }
            await client.close()
        }
        if let error {
            #expect(Self.codes.contains(error.code), "\(string.prefix(60).debugDescription): \(error)")
            // It may name the server, which is as long as it is.
            #expect(!error.message.isEmpty && error.message.utf8.count < 2_000 + 3 * string.utf8.count)
        }
    }
}
