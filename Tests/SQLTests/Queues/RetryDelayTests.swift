import LibPQ
import TestSupport
import Testing

@Suite(.database(.migrated), .timeLimit(.minutes(1)))
struct RetryDelayTests {
    @Test(arguments: [
        ("{}", 1, "0"), (#"{"kind":null}"#, 1, "0"), (#"{"kind":"none","base_seconds":"x"}"#, 1, "0"),
        (#"{"kind":"fixed"}"#, 3, "60"), (#"{"kind":"fixed","base_seconds":"12"}"#, 1, "12"),
        (#"{"kind":"fixed","base_seconds":5,"max_seconds":1,"factor":"x"}"#, 2, "5"),
        (#"{"kind":"exponential"}"#, 1, "30"), (#"{"kind":"exponential"}"#, 3, "120"),
        (#"{"kind":"exponential"}"#, -4, "30"), (#"{"kind":"exponential"}"#, 100, "86400"),
        (#"{"kind":"exponential","base_seconds":40,"factor":3,"max_seconds":90}"#, 1, "40"),
        (#"{"kind":"exponential","base_seconds":40,"factor":3,"max_seconds":90}"#, 2, "90"),
        (#"{"kind":"exponential","factor":0}"#, 1, "30"), (#"{"kind":"exponential","factor":0}"#, 2, "0"),
        (#"{"kind":"exponential","factor":0.5}"#, 2_000_000, "0"),
        (#"{"kind":"exponential","factor":1e300}"#, 3, "86400"),
        (#"{"kind":"exponential","base_seconds":0}"#, 9, "0"),
        (#"{"kind":"exponential","max_seconds":0}"#, 1, "0"),
    ])
    func `the delay follows the strategy`(_ strategy: String, _ attempt: Int, _ delay: String) async throws {
        let session = try await Session()
        #expect(
            try await session.value(
                "select absurd.retry_delay_seconds($1, $2)", .text(strategy), .int(Int64(attempt))) == delay)
    }

    @Test func `no strategy is no delay, no attempt is the first`() async throws {
        let session = try await Session()
        #expect(try await session.value("select absurd.retry_delay_seconds(null, 3)") == "0")
        #expect(
            try await session.value(#"select absurd.retry_delay_seconds('{"kind":"exponential"}', null)"#)
                == "30")
    }

    @Test(arguments: [
        "null", "5", "[]", #"{"kind":"other"}"#, #"{"kind":"FIXED"}"#, #"{"kind":5}"#,
        #"{"kind":"fixed","base_seconds":-1}"#, #"{"kind":"fixed","base_seconds":86400.01}"#,
        #"{"kind":"fixed","base_seconds":"NaN"}"#, #"{"kind":"fixed","base_seconds":"abc"}"#,
        #"{"kind":"fixed","base_seconds":true}"#, #"{"kind":"fixed","base_seconds":[1]}"#,
        #"{"kind":"fixed","base_seconds":1e999}"#, #"{"kind":"exponential","factor":-1}"#,
        #"{"kind":"exponential","factor":"Infinity"}"#, #"{"kind":"exponential","max_seconds":86401}"#,
        #"{"kind":"exponential","max_seconds":"x"}"#,
        #"{"kind":"exponential","base_seconds":0,"factor":"x"}"#,
    ])
    func `an invalid strategy is AB003`(_ strategy: String) async throws {
        let session = try await Session()
        #expect(
            try await session.sqlState("select absurd.retry_delay_seconds($1, 1)", .text(strategy)) == "AB003"
        )
    }
}
