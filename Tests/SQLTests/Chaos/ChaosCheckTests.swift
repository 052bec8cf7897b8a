import ChaosModel
import LibPQ
import TestSupport
import Testing

/// The checks of `make chaos` pass a history without faults, and each part of each of them can fail.
@Suite(.database(.migrated), .timeLimit(.minutes(10)))
struct ChaosCheckTests {
    @Test(arguments: ["unpartitioned", "partitioned"])
    func `a history in which all went well breaks no promise`(storage: String) async throws {
        let connection = try await ChaosHistory.played(storage)
        let broken = try await brokenPromises(connection)
        #expect(broken.isEmpty, "\(broken)")
    }

    @Test func `each broken rule is found, and told`() async throws {
        let connection = try await ChaosHistory.played("unpartitioned")
        for offence in ChaosOffence.all {
            try await connection.execute(script: "begin; \(offence.sql)")
            let broken = try await brokenPromises(connection)
            #expect(
                broken.contains {
                    $0.promise == offence.promise && $0.examples.contains { $0.contains(offence.says) }
                }, "\(offence) in \(broken)")
            try await connection.execute(script: "rollback")
        }
        #expect(Set(ChaosOffence.all.map(\.promise)) == Set(Check.all.map(\.promise)))
    }

    private func brokenPromises(_ connection: PostgresConnection) async throws -> [BrokenPromise] {
        var broken: [BrokenPromise] = []
        for check in Check.all {
            if let promise = try await check.run({ try await connection.query($0) }) {
                broken.append(promise)
            }
        }
        return broken
    }
}
