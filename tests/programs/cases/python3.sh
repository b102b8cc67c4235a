# witness: */python3.11
# Python's own regression tests. The plain run establishes which tests pass here and records their names; the preloaded run
# must pass each of them. Modules run two at a time, each in a process of its own.

# Left out: what needs a network, a terminal or a display, what waits for seconds of a clock, what fills a disk.
exclude='test_asyncio test_bdb test_cppext test_clinic test_compileall test_concurrent_futures test_cmd_line_script
    test_curses test_distutils test_docxmlrpc test_eintr test_ensurepip test_faulthandler test_ftplib test_gdb test_httplib
    test_httpservers test_idle test_imaplib test_io test_ioctl test_kqueue test_largefile test_lib2to3 test_logging
    test_multiprocessing_forkserver test_multiprocessing_main_handling test_multiprocessing_spawn test_nntplib test_os
    test_ossaudiodev test_peg_generator test_pdb test_poll test_poplib test_pty test_readline test_regrtest test_sched
    test_selectors test_smtplib test_smtpnet test_socket test_socketserver test_source_encoding test_ssl test_subprocess
    test_tcl test_telnetlib test_threadsignals test_time test_timeout test_tix test_tk test_tkinter test_tools
    test_ttk_guionly test_ttk_textonly test_turtle test_urllib2_localnet test_urllib2net test_urllibnet test_venv
    test_wait3 test_wait4 test_webbrowser test_wsgiref test_xmlrpc test_xmlrpc_net test_zipfile64'

