/// The shell that ends the children when their supervisor has died.
///
/// Its standard input ends when the supervisor does, however that ends. Until then it is told which process groups
/// there are. POSIX shell, so that it runs with dash, bash, busybox and macOS alike.
let watchdogScript = #"""
    set -u
    # What ends the supervisor must not end this.
    trap '' HUP INT QUIT TERM PIPE
    cd /
    groups=' '
    while read -r verb group; do
        case $verb in
            add) groups="$groups$group " ;;
            drop)
                case $groups in
                    *" $group "*) groups="${groups%%" $group "*} ${groups#*" $group "}" ;;
                esac
                ;;
            end) exit 0 ;;
        esac
    done

    tell() {
        for group in $groups; do
            kill -s "$1" -- "-$group" 2>/dev/null
        done
    }

    is_one_alive() {
        for group in $groups; do
            kill -s 0 -- "-$group" 2>/dev/null && return 0
        done
        return 1
    }

    tell TERM
    tenths=$1
    while [ "$tenths" -gt 0 ] && is_one_alive; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
    tell KILL
    """#
