import Absurd
import Foundation
import Testing

@testable import AbsurdCommand

struct OutputTests {
    @Test func `printed JSON keeps the order of members, escapes text and leaves documents as they are`()
        throws
    {
        let output = JSONOutput.object([
            ("z", .array([.integer(-1), .bool(true), .null])),
            ("a", .string("\"\\\n\r\t\u{1}\u{7f}é🎉\u{2028}")),
            ("empty", .array([])),
            ("document", .document("{\"n\": 1e400}")),
        ])
        #expect(
            output.text == """
                {
                  "z": [
                    -1,
                    true,
                    null
                  ],
                  "a": "\\"\\\\\\n\\r\\t\\u0001\u{7f}é🎉\u{2028}",
                  "empty": [],
                  "document": {"n": 1e400}
                }
                """)
        let text = JSONOutput.string("\u{0}\u{1f}\u{2029}")
        #expect(try JSONDecoder().decode(String.self, from: Data(text.text.utf8)) == "\u{0}\u{1f}\u{2029}")
    }

    @Test func `text for a terminal has no control characters and no direction marks`() {
        #expect("a\u{1b}[0m\n\u{9b}\u{202e}é🎉".printable == #"a\u{1b}[0m\n\u{9b}\u{202e}é🎉"#)
        #expect("abcdef".shortened(to: 4) == "abc…")
        #expect("abcd".shortened(to: 4) == "abcd")
    }

    @Test func `columns are as wide as their widest text, and the last has nothing behind it`() {
        var table = TextTable("A", "B")
        table.add("long text", "")
        table.add("x", "y")
        #expect(table.text == "A          B\nlong text\nx          y")
    }
}
