import Absurd
import Foundation

/// A JSON document given on the command line or on standard input, which keeps its text.
struct JSONInput {
    /// - Parameters:
    ///   - argument: The document, or `-` for standard input.
    ///   - what: What it is, for errors.
    static func document(_ argument: String, named what: String) throws -> JSONText {
        let text = argument == "-" ? try standardInput(what) : argument
        try check(text, named: what)
        return JSONText(text)
    }

    private static func standardInput(_ what: String) throws -> String {
        let data = try FileHandle.standardInput.readToEnd() ?? Data()
        guard let text = String(validating: data, as: UTF8.self) else {
            throw AbsurdError.invalidArgument(
                "\(what) must be JSON in UTF-8, and standard input is not UTF-8")
        }
        return text
    }

    private static func check(_ text: String, named what: String) throws {
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw AbsurdError.invalidArgument("\(what) must be JSON, and nothing was given")
        }
        do {
            try JSONSyntax.check(text)
        } catch {
            switch error {
            case .malformed(let reason):
                throw AbsurdError.invalidArgument("\(what) must be JSON\(hint(for: text) ?? ": \(reason)")")
            case .unusable(let reason):
                throw AbsurdError.invalidArgument("\(what) cannot be used: \(reason)")
            }
        }
    }

    /// What somebody meant who wrote text without the quotes of JSON, which the shell takes away.
    private static func hint(for text: String) -> String? {
        guard let first = text.first, first.isLetter else { return nil }
        return #", and text needs its own quotes, as in '"\#(text.printable.shortened(to: 20))"'"#
    }
}
