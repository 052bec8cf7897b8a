import Foundation
package import Testing

/// Gives each test a database of its own.
///
/// ```swift
/// @Suite(.database(.migrated))
/// struct ClaimTests {
///     @Test func `a claim takes the oldest due run`() async throws {
///         let connection = try await TestDatabase.current.connect()
///     }
/// }
/// ```
///
/// Each test, and each case of a parameterised test, starts with a fresh database and its database is
/// dropped afterwards, so that tests run in parallel and never see each other. A test's own
/// `.database(…)` wins over its suite's.
///
/// ## Running tests
///
/// * All of them: `make test`, which first installs what is missing.
/// * Some: `swift test --filter ClaimTests`, or `make test ARGS="--filter ClaimTests"`.
/// * They start a private Postgres server per test process. To run them on one of yours, set
///   `ABSURD_TEST_DATABASE_URL` to a connection string whose user may create databases; databases named
///   `absurd_test_…` are made there and dropped.
/// * Where a server, or for `.official` the project's `.venv`, is missing, the tests that need it are
///   cancelled with a message. With `CI=true` they fail instead.
package struct DatabaseTrait: SuiteTrait, TestTrait, TestScoping {
    /// What a test's database contains when the test begins.
    package enum Contents: Hashable, Sendable {
        /// Nothing.
        case empty
        /// Our schemas `absurd` and `absurd_swift`.
        case migrated
        /// The schema `absurd` as `absurdctl init` makes it, and our `absurd_swift` on top.
        case official
    }

    let contents: Contents
    /// Tells the trait of a suite from an equal one of a test in it.
    let identity = UUID()

    /// The suite's trait is that of its tests.
    package var isRecursive: Bool { true }

    package func scopeProvider(for test: Test, testCase: Test.Case?) -> DatabaseTrait? {
        let wanted = test.traits.last { $0 is DatabaseTrait } as? DatabaseTrait
        return test.isSuite || wanted?.identity != identity ? nil : self
    }

    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing body: @concurrent @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else {
            // All tests of a process start at once. Waiting here, before the test's first case, is outside
            // of its time limit.
            try await Gate.tests.withTurn { try await body() }
            return
        }
        try await Gate.databases.withTurn {
            try await TestDatabase.withDatabase(contents) { try await body() }
        }
    }
}

extension Trait where Self == DatabaseTrait {
    /// A fresh database for each test, reached through ``TestDatabase/current``.
    package static func database(_ contents: DatabaseTrait.Contents) -> DatabaseTrait {
        DatabaseTrait(contents: contents)
    }
}
