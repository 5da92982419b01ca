"""One module per page. Not called `pages`: Streamlit would run the files of a folder of that name by themselves."""
