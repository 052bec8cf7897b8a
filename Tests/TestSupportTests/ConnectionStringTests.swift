import TestSupport
import Testing

struct ConnectionStringTests {
    @Test(arguments: [
        ("postgresql://me@host/db", "postgresql://me@host/x"),
        ("postgresql://me@host", "postgresql://me@host/x"),
        ("postgres://me:p%2Fw@a:1,b:2/db?sslmode=disable", "postgres://me:p%2Fw@a:1,b:2/x?sslmode=disable"),
        ("postgresql://me@?host=/tmp/x", "postgresql://me@/x?host=/tmp/x"),
        ("postgresql:///db?host=/tmp/x", "postgresql:///x?host=/tmp/x"),
        ("host=/tmp dbname=db user=me", "host=/tmp dbname=db user=me dbname=x"),
        ("", " dbname=x"),
    ])
    func `the database is exchanged and all else stays`(_ original: String, _ expected: String) {
        #expect(ConnectionString(original).naming(database: "x") == expected)
    }
}
