import Absurd
import ArgumentParser
import Foundation
import Testing

@testable import AbsurdCommand

struct DurationInputTests {
    @Test(
        arguments: [
            ("0s", Duration.zero), ("250ms", .milliseconds(250)), ("30s", .seconds(30)), ("5m", .minutes(5)),
            ("2h", .hours(2)), ("7d", .days(7)), ("1w", .days(7)), ("1h30m", .minutes(90)),
            ("007s", .seconds(7)),
        ])
    func `a length of time is numbers with units`(text: String, duration: Duration) throws {
        #expect(try Duration(argument: text) == duration)
    }

    @Test(
        arguments: [
            "", "30", "s", "-5s", "1.5h", "5 m", " 5m", "5m ", "5M", "1y", "５s", "5m30", "abc",
            "99999999999999999999d",
            "9223372036854775807w", "3650001d", "9223372036854775807d9223372036854775807d",
        ])
    func `anything else is refused with examples`(text: String) {
        let error = #expect(throws: ValidationError.self) { try Duration(argument: text) }
        #expect(error?.message.contains("a length of time") == true)
    }

    @Test func `a time is a length of time ago, a date or an instant`() throws {
        #expect(try TimeInput(argument: "2h") == .ago(.hours(2)))
        let newYear = Date(timeIntervalSince1970: 1_767_225_600)
        #expect(try TimeInput(argument: "2026-01-01") == .at(newYear))
        #expect(try TimeInput(argument: "2026-01-01T01:00:00+01:00") == .at(newYear))
        #expect(throws: ValidationError.self) { try TimeInput(argument: "yesterday") }
        #expect(throws: ValidationError.self) { try TimeInput(argument: "2026-13-01") }
    }

    @Test func `a header is text or JSON`() throws {
        #expect(
            try HeaderInput.headers(["a=1", "b:=1", "c=", "d=x:=y", "a=2"])
                == ["a": "2", "b": 1, "c": "", "d": "x:=y"])
        for malformed in ["", "a", "=x", ":=1"] {
            #expect(throws: AbsurdError.self) { try HeaderInput.headers([malformed]) }
        }
        #expect(throws: AbsurdError.self) { try HeaderInput.headers(["a:=nonsense"]) }
    }
}
