import Absurd
import Foundation

/// Asks the person at the keyboard before something cannot be undone.
///
/// - Throws: ``AbsurdError`` with the code `invalidArgument` when nobody is there to ask.
/// - Returns: Whether the answer was yes.
func confirm(_ question: String) throws -> Bool {
    guard isatty(STDIN_FILENO) == 1 else {
        throw AbsurdError.invalidArgument(
            "this cannot be undone, and nobody is there to ask: add --yes if it is meant")
    }
    say("\(question) Answer 'yes' to go on:")
    return readLine(strippingNewline: true)?.lowercased() == "yes"
}
